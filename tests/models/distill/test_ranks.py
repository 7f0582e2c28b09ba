"""Several processes compute what one does with the whole batch: every loss, and the gradients that DDP averages.

An update sums the gradients of two steps.
"""
import contextlib

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.structures import InstanceData
from torch.nn.parallel import DistributedDataParallel

from mmduet.models import DistilledGrounder
from mmduet.models.distill import DUETHead, FeatureTerm, RegionContrastTerm, RelationTerm
from mmduet.models.distill.terms import DenseContrastTerm, RankedContrastTerm
from mmduet.structures import Canvas
from tests.forking import run_ranks
from tests.tiny_grounder import SIZE, TinyGrounder
from tests.tiny_transvg import make_sample

TEACHER = Config.fromfile('configs/_base_/teachers/clip_tiny_refshapes.py').teacher
TERMS = dict(
    image=dict(type=FeatureTerm, student='image', teacher='image'),
    region=dict(type=FeatureTerm, student='region', teacher='region'),
    text=dict(type=FeatureTerm, student='text', teacher='text'), relation=dict(type=RelationTerm),
    banked=dict(type=RelationTerm, bank=True), contrast=dict(type=RegionContrastTerm),
    gathered=dict(type=RegionContrastTerm, gather=True), dense=dict(type=DenseContrastTerm),
    ranked=dict(type=RankedContrastTerm))
STEPS = 2
# File and box of each expression. 1, 4 and 7 mean one object; 5 and 11 are about another of that image.
EXPRESSIONS = [('a', (2, 2, 20, 20)), ('b', (4, 6, 24, 26)), ('c', (10, 3, 30, 28)), ('d', (1, 12, 15, 31)),
               ('b', (4, 6, 24, 26)), ('b', (20, 2, 31, 12)), ('e', (2, 12, 20, 20)), ('b', (4, 6, 24, 26)),
               ('a', (10, 3, 30, 28)), ('f', (1, 1, 15, 31)), ('g', (14, 6, 24, 16)), ('b', (20, 2, 31, 12))]
CANVAS = Canvas(size=SIZE, left=0, top=0, width=SIZE, height=SIZE, scale_x=1.0, scale_y=1.0)


def make_data(rows):
    """What a loader delivers of some expressions."""
    images, samples = [], []
    for row in rows:
        file, box = EXPRESSIONS[row]
        others = sorted({other for name, other in EXPRESSIONS if name == file} - {box})
        generator = torch.Generator().manual_seed(ord(file))
        images.append(torch.randint(0, 256, (3, SIZE, SIZE), generator=generator, dtype=torch.uint8))
        samples.append(make_sample(f'thing {row}', CANVAS, tuple(map(float, box)), key=file))
        samples[-1].distractors = InstanceData(bboxes=torch.tensor(others, dtype=torch.float32).reshape(-1, 4))
        samples[-1].set_metainfo(dict(dataset_name='tiny', split='train', expression_id=str(row)))
    return {'inputs': images, 'data_samples': samples}


def make_model():
    torch.manual_seed(0)
    model = DistilledGrounder(TinyGrounder(dropout=0.0), TEACHER, dict(type=DUETHead, terms=TERMS))
    model.teachers['teacher'].init_weights()
    return model.train()


def losses_and_gradients(rank, world):
    """Losses of each step, of which every rank has its part, and gradients of their mean."""
    model = make_model()
    model.head.accumulate(STEPS)
    wrapped = DistributedDataParallel(model) if dist.is_initialized() else model
    seen = []
    for step, rows in enumerate(torch.arange(len(EXPRESSIONS)).chunk(STEPS)):
        data = model.data_preprocessor(make_data(rows.chunk(world)[rank].tolist()), True)
        with wrapped.no_sync() if world > 1 and step < STEPS - 1 else contextlib.nullcontext():
            losses = wrapped(**data, mode='loss')
            (sum(losses.values()) / STEPS).backward()
        seen.append({name: value.detach() for name, value in losses.items()})
    return seen, {name: parameter.grad for name, parameter in model.named_parameters()}


def run_rank(folder):
    dist.init_process_group('gloo')
    rank = dist.get_rank()
    torch.save(losses_and_gradients(rank, dist.get_world_size()), f'{folder}/{rank}.pt')
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def alone():
    return losses_and_gradients(0, 1)


def assert_equal(actual, expected, name):
    torch.testing.assert_close(actual, expected, atol=1e-6, rtol=0, msg=lambda text: f'{name}: {text}')


@pytest.mark.parametrize('world', [2, 3])
def test_losses_and_gradients_do_not_depend_on_how_a_batch_is_split(world, alone, tmp_path):
    ranks = run_ranks(world, run_rank, tmp_path)
    assert [rank.returncode for rank in ranks] == [0] * world, ranks
    parts = [torch.load(tmp_path / f'{rank}.pt') for rank in range(world)]
    losses, gradients = alone
    assert losses[0].keys() == {'loss_bbox', 'loss_none', *(f'loss_{name}' for name in TERMS)}
    assert losses[0]['loss_banked'] == losses[0]['loss_relation'] and losses[1]['loss_banked'] > losses[1]['loss_relation']
    for step in range(STEPS):
        for name, value in losses[step].items():
            assert_equal(torch.stack([part[0][step][name] for part in parts]).mean(), value, name)
    for name, value in gradients.items():
        assert value.abs().sum() > 0
        assert_equal(parts[0][1][name], value, name)


def run_unequal(folder, *terms):
    """A step of 3 expressions on the first rank and one less on each further one."""
    dist.init_process_group('gloo')
    rank = dist.get_rank()
    torch.manual_seed(0)
    head = dict(type=DUETHead, terms={name: TERMS[name] for name in terms})
    model = DistilledGrounder(TinyGrounder(dropout=0.0), TEACHER, head).train()
    model.teachers['teacher'].init_weights()
    try:
        model(**model.data_preprocessor(make_data(range(3 - rank)), True), mode='loss')
        said = 'no error'
    except ValueError as error:
        said = str(error)
    (folder / f'{rank}.txt').write_text(said)
    dist.destroy_process_group()


@pytest.mark.parametrize(('world', 'terms', 'said'), [
    (2, ('relation', ), 'rank 0 has 3, rank 1 has 2.'), (3, ('text', 'gathered'), 'rank 0 has 3, rank 1 has 2, rank 2 has 1.'),
    (2, ('text', 'contrast'), 'no error')])
def test_ranks_with_unequal_numbers_of_expressions_are_named_where_a_term_gathers_them(world, terms, said, tmp_path):
    ranks = run_ranks(world, run_unequal, tmp_path, *terms)
    assert [rank.returncode for rank in ranks] == [0] * world, ranks
    assert all(said in (tmp_path / f'{rank}.txt').read_text() for rank in range(world))
