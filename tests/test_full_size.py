"""Every leaf at its real size: forward, loss and backward, once for every model that two leaves do not share."""
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from mmduet.cli import benchmark
from mmduet.engine.config_tools import drop_pretrained
from mmduet.registry import MODELS
from mmduet.structures import Canvas
from tests.shared_data import ROOT
from tests.tiny_transvg import make_sample

LEAVES = sorted(path for folder in ('transvg', 'vltvg', 'qrnet', 'clip_vg', 'duet')
                for path in (ROOT / 'mmduet/configs' / folder).rglob('*.py') if not {'_base_', 'ablation'} & set(path.parts))


def _name(path):
    return str(path.relative_to(ROOT / 'mmduet/configs'))


def canvas_size(config):
    """Side of the canvases that a leaf trains on, which are those that it is tested on."""
    sizes = {node['size'] for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
             for node in _steps(config[loader].dataset) if getattr(node['type'], '__name__', '') == 'PlaceOnCanvas'}
    assert len(sizes) == 1
    return sizes.pop()


def _steps(dataset):
    return [step for part in dataset.get('datasets', [dataset]) for step in part.get('pipeline', dataset.get('pipeline', []))]


# Canvas and model of what a test has been through already; leaves that differ by their data alone share them.
SEEN: set[tuple[str, str]] = set()


def seen_before(test, model, size):
    """Whether a model went through a test at this size; notes that it does now."""
    key = (test, f'{size} {re.sub(r"0x[0-9a-f]+", "", repr(model.to_dict()))}')
    known = key in SEEN
    SEEN.add(key)
    return known


@pytest.mark.parametrize('path', LEAVES, ids=_name)
def test_the_student_of_a_leaf_goes_forward_and_backward_at_its_size_without_memory(path):
    config = Config.fromfile(path)
    drop_pretrained(config)
    student = config.model.get('student', config.model)
    size = canvas_size(config)
    if seen_before('shapes', student, size):
        return
    samples = [make_sample(text, Canvas(size=size, left=0, top=0, width=size, height=3 * size // 4, scale_x=1.0, scale_y=1.0),
                           (0.0, 0.0, size / 2, size / 2), text) for text in ('the dog', 'a cup on the left')]
    images = [torch.zeros(3, 3 * size // 4, size, dtype=torch.uint8)] * 2
    with torch.device('meta'):
        model = MODELS.build(student)
    model.to('meta')  # MMDetection's Swin is built on the CPU
    if hasattr(model.text_encoder, 'bert'):
        # transformers looks whether a mask masks anything, and this one has no values.
        model.text_encoder.bert.register_forward_pre_hook(
            lambda module, arguments, named: (arguments, {**named, 'attention_mask': None}), with_kwargs=True)
    batch = model.data_preprocessor({'inputs': images, 'data_samples': samples}, True)['batch']
    features = model.train().extract(batch)
    losses = model.loss(features, batch)
    sum(losses.values()).backward()
    assert features.boxes.shape[1:] == (2, 4)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert trained and all(parameter.grad is not None for parameter in trained)


@pytest.mark.slow
@pytest.mark.parametrize('path', LEAVES, ids=_name)
def test_a_leaf_goes_forward_and_backward_on_photos_of_its_size_with_random_weights(path, tmp_path):
    arguments = benchmark.parse_args([str(path), '--no-pretrained', '--batch-size', '2', '--threads', '1'])
    config = benchmark.prepare(arguments, tmp_path)
    if seen_before('photos', config.model, canvas_size(config)):
        return
    with DefaultScope.overwrite_default_scope('mmduet'):
        model, dataset = MODELS.build(config.model), DATASETS.build(config.train_dataloader.dataset)
    # A cached teacher is asked once beforehand, as its tool does it.
    cached = benchmark.write_cache(model, config, arguments, tmp_path / 'cache') if arguments.teacher_cache else None
    data = model.train().data_preprocessor(next(benchmark.load_batches(dataset, 2)), True)
    assert data['batch'].pixels.shape == (2, 3, canvas_size(config), canvas_size(config))
    with benchmark.taught_by(model, cached):
        losses = model(**data, mode='loss')
    terms = {name: value for name, value in losses.items() if 'loss' in name}
    assert all(value.isfinite() for value in terms.values())
    sum(terms.values()).backward()
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert [name for name, parameter in trained.items() if parameter.grad is None] == []
    assert all(parameter.grad.isfinite().all() for parameter in trained.values())
