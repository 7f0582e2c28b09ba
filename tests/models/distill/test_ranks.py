"""Several processes compute what one does with the whole batch: every loss, and the gradients that DDP averages."""
import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config
from torch.nn.parallel import DistributedDataParallel

from mmduet.models import DistilledGrounder
from mmduet.models.distill import DUETHead, FeatureTerm, RelationTerm
from mmduet.structures import Canvas
from tests.forking import run_ranks
from tests.tiny_grounder import SIZE, TinyGrounder
from tests.tiny_transvg import make_sample

TEACHER = Config.fromfile('configs/_base_/teachers/clip_tiny_refshapes.py').teacher
TERMS = dict(
    image=dict(type=FeatureTerm, student='image', teacher='image'),
    region=dict(type=FeatureTerm, student='region', teacher='region'),
    text=dict(type=FeatureTerm, student='text', teacher='text'), relation=dict(type=RelationTerm))
# File and box of each expression. 1 and 4 mean one object; 5 is about another of that image.
EXPRESSIONS = [('a', (2, 2, 20, 20)), ('b', (4, 6, 24, 26)), ('c', (10, 3, 30, 28)), ('d', (1, 12, 15, 31)),
               ('b', (4, 6, 24, 26)), ('b', (20, 2, 31, 12))]
CANVAS = Canvas(size=SIZE, left=0, top=0, width=SIZE, height=SIZE, scale_x=1.0, scale_y=1.0)


def make_data(rows):
    """What a loader delivers of some expressions."""
    images, samples = [], []
    for row in rows:
        file, box = EXPRESSIONS[row]
        generator = torch.Generator().manual_seed(ord(file))
        images.append(torch.randint(0, 256, (3, SIZE, SIZE), generator=generator, dtype=torch.uint8))
        samples.append(make_sample(f'thing {row}', CANVAS, tuple(map(float, box)), key=file))
        samples[-1].set_metainfo(dict(dataset_name='tiny', split='train', expression_id=str(row)))
    return {'inputs': images, 'data_samples': samples}


def make_model():
    torch.manual_seed(0)
    model = DistilledGrounder(TinyGrounder(dropout=0.0), TEACHER, dict(type=DUETHead, terms=TERMS))
    model.teachers['teacher'].init_weights()
    return model.train()


def losses_and_gradients(rows):
    model = make_model()
    data = model.data_preprocessor(make_data(rows), True)
    wrapped = DistributedDataParallel(model) if dist.is_initialized() else model
    losses = wrapped(**data, mode='loss')
    sum(losses.values()).backward()
    return ({name: value.detach() for name, value in losses.items()},
            {name: parameter.grad for name, parameter in model.named_parameters()})


def run_rank(folder):
    dist.init_process_group('gloo')
    rows = torch.arange(len(EXPRESSIONS)).chunk(dist.get_world_size())[dist.get_rank()].tolist()
    torch.save(losses_and_gradients(rows), f'{folder}/{dist.get_rank()}.pt')
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def alone():
    return losses_and_gradients(range(len(EXPRESSIONS)))


@pytest.mark.parametrize('world', [2, 3])
def test_losses_and_gradients_do_not_depend_on_how_a_batch_is_split(world, alone, tmp_path):
    ranks = run_ranks(world, run_rank, tmp_path)
    assert [rank.returncode for rank in ranks] == [0] * world, ranks
    parts = [torch.load(tmp_path / f'{rank}.pt') for rank in range(world)]
    losses, gradients = alone
    assert losses.keys() == {'loss_bbox', 'loss_none', *(f'loss_{name}' for name in TERMS)}
    for name, value in losses.items():
        mean = torch.stack([part[0][name] for part in parts]).mean()
        torch.testing.assert_close(mean, value, atol=1e-6, rtol=0, msg=lambda text, name=name: f'{name}: {text}')
    for name, value in gradients.items():
        assert value.abs().sum() > 0
        torch.testing.assert_close(parts[0][1][name], value, atol=1e-6, rtol=0, msg=lambda text, name=name: f'{name}: {text}')
