"""What a step computes stays on the model's device, and no step waits for a number from it."""
from contextlib import nullcontext

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException

from mmduet.datasets import grounding_collate
from mmduet.models import DistilledGrounder, DUETHead
from mmduet.models.distill import DenseContrastTerm, QueryAnchor, RankedContrastTerm, RegionAnchor, RegionContrastTerm
from mmduet.models.task_modules import DistractorSampler, LocationSampler, RandomSampler, SemanticsSampler, SLASampler
from mmduet.models.teachers import CLIPTeacher
from mmduet.registry import MODELS
from tests.distill_batch import TERMS
from tests.fake_gpu import GPU, WaitError, fake_gpu, gpu_autocast
from tests.models.students.test_conformance import CONFIGS, build_student, make_data
from tests.tiny_cache import build_dataset, load_config, make_cache_root, write_cache
from tests.tiny_clip_config import RESNET, write_clip_config
from tests.tiny_transvg import make_batch, tiny_transvg_config

SAMPLERS = (SLASampler, RandomSampler, LocationSampler, SemanticsSampler, DistractorSampler)
ANCHORS = (QueryAnchor, RegionAnchor)
PRECISIONS = {'float32': None, 'float16': torch.float16, 'bfloat16': torch.bfloat16}


@pytest.fixture(autouse=True)
def real(monkeypatch):
    """Let transformers treat tensors without values as those of a real device, on which it may look at them."""
    monkeypatch.setattr('transformers.utils.import_utils.is_fake_tensor', lambda tensor: False)


def step(model, batch, precision=None):
    """The losses of a step on a GPU without values."""
    with fake_gpu(model), gpu_autocast(precision):
        return model(**model.data_preprocessor(batch, True), mode='loss')


def distil(folder, student, **contrast):
    teacher = dict(type=CLIPTeacher, model='tiny_vit', model_config=write_clip_config(folder))
    terms = {**TERMS, 'contrast': {'type': RegionContrastTerm, **contrast}}
    return MODELS.build(dict(type=DistilledGrounder, student=student, teacher=teacher, head=dict(type=DUETHead, terms=terms)))


def test_what_the_other_tests_rely_on_tensors_of_two_devices_and_waiting_for_a_number_fail():
    with fake_gpu():
        here, there = torch.ones(3), torch.ones(3, device=GPU)
        with pytest.raises(RuntimeError, match='same device'):
            here + there
        with pytest.raises(DataDependentOutputException):
            there.sum().item()
        assert (here.to(GPU, non_blocking=True) + there).device == GPU
        for wait in (lambda: here.to(GPU), lambda: there[[2, 1, 0]], lambda: torch.tensor([1.0, 2.0], device=GPU),
                     lambda: there.copy_(here)):
            with pytest.raises(WaitError):
                wait()
        with gpu_autocast(torch.float16):
            assert (there[None] @ there[:, None]).dtype == torch.float16


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_prediction_of_a_student_comes_to_the_processor_at_its_end(path):
    model = build_student(path).eval()
    data = make_data(64)
    with fake_gpu(model), torch.no_grad():
        batch = model.data_preprocessor(data)['batch']
        features = model(batch)
        samples = model.predict(features, batch)
    assert {value.device for value in (features.boxes, features.query, features.visual, features.text)} == {GPU}
    assert all(sample.pred_instances.bboxes.device.type == 'cpu' for sample in samples)


@pytest.mark.parametrize('precision', PRECISIONS)
@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_distilled_step_stays_on_its_device_and_waits_for_nothing(path, precision, tmp_path):
    losses = step(distil(tmp_path, build_student(path)), make_data(64), PRECISIONS[precision])
    assert {f'loss_{name}' for name in TERMS} <= losses.keys()
    assert all(value.device == GPU and value.dtype == torch.float32 for value in losses.values())


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_backward_pass_waits_for_nothing(path, tmp_path, monkeypatch):
    # On the device ``meta``, as autograd asks a GPU that is not there for its streams; autocast does not know it.
    monkeypatch.setattr('torch.autocast', lambda *_, **__: nullcontext())
    model = distil(tmp_path, build_student(path)).to('meta')
    losses = model(**model.data_preprocessor(make_data(64), True), mode='loss')
    sum(losses.values()).backward()
    assert all(value.grad.device.type == 'meta' for value in model.parameters() if value.grad is not None)
    assert any(value.grad is not None for value in model.student.parameters())
    with pytest.raises(RuntimeError, match='cannot be called on meta tensors'):  # what waits would fail
        losses['loss_text'].item()


@pytest.mark.parametrize('part', [*(('sampler', kind) for kind in SAMPLERS), *(('anchor', kind) for kind in ANCHORS)])
def test_every_sampler_and_anchor_works_on_a_device(part, tmp_path):
    model = distil(tmp_path, tiny_transvg_config(), **{part[0]: dict(type=part[1])})
    assert step(model, make_batch())['loss_contrast'].device == GPU


@pytest.mark.parametrize('kind', [RankedContrastTerm, DenseContrastTerm])
def test_every_form_of_the_contrast_works_on_a_device_and_waits_for_nothing(kind, tmp_path):
    assert step(distil(tmp_path, tiny_transvg_config(), type=kind), make_batch())['loss_contrast'].device == GPU


def test_a_convolutional_teacher_works_on_a_device(tmp_path):
    path = write_clip_config(tmp_path, 'tiny_resnet', vision_cfg=RESNET)
    model = distil(tmp_path, tiny_transvg_config())
    model.teachers['teacher'] = MODELS.build(dict(type=CLIPTeacher, model='tiny_resnet', model_config=path)).eval()
    assert step(model, make_batch())['loss_region'].device == GPU


@pytest.mark.parametrize('shared', [False, True])
def test_a_cached_teacher_works_on_a_device_and_waits_for_nothing(shared, tmp_path):
    root = make_cache_root(tmp_path / 'root')
    cfg = load_config(root, write_cache(root, tmp_path / 'cache', '--distractors'))
    dataset = build_dataset(root)
    model = MODELS.build(cfg.model)
    data = grounding_collate([dataset[index] for index in range(4)])
    if shared:
        data = {**data, 'inputs': data['inputs'][:1], 'image_index': [0] * 4}
        for sample in data['data_samples']:
            sample.set_metainfo({'canvas': data['data_samples'][0].canvas})
    with fake_gpu(model):
        batch = model.data_preprocessor(data, True)['batch']
        losses, others = model(batch, 'loss'), model.teachers['teacher'](batch, {'others'}).others
    assert all(value.device == GPU for value in (*losses.values(), others))
