"""What a step computes stays on the model's device, and no step waits for a number from it."""
import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException

from mmduet.datasets import grounding_collate
from mmduet.models import DistilledGrounder, DUETHead
from mmduet.models.distill.anchors import DifferentiableRegionAnchor, QueryAnchor, RegionAnchor
from mmduet.models.distill.projector import LocatedRegionProjector, RegionProjector
from mmduet.models.losses import RegionContrastiveLoss, SemanticDistillLoss
from mmduet.models.task_modules import DistractorSampler, LocationSampler, RandomSampler, SemanticsSampler, SLASampler
from mmduet.models.teachers import CLIPTeacher
from mmduet.registry import MODELS
from tests.fake_gpu import GPU, fake_gpu, gpu_autocast
from tests.models.students.test_conformance import TINY
from tests.tiny_cache import build_dataset, load_config, make_cache_root, write_cache
from tests.tiny_clip_config import RESNET, write_clip_config
from tests.tiny_transvg import make_batch, tiny_transvg_config

SAMPLERS = (SLASampler, RandomSampler, LocationSampler, SemanticsSampler, DistractorSampler)
ANCHORS = (QueryAnchor, RegionAnchor, DifferentiableRegionAnchor)
CHANNELS = {'QRNet': 64}
PRECISIONS = {'float32': None, 'float16': torch.float16, 'bfloat16': torch.bfloat16}


def step(model, batch, precision=None):
    """The losses of a step on a GPU without values."""
    with fake_gpu(model), gpu_autocast(precision):
        return model(**model.data_preprocessor(batch, True), mode='loss')


def distil(folder, student, **head):
    teacher = dict(type=CLIPTeacher, model='tiny_vit', model_config=write_clip_config(folder))
    halves = dict(semantic=dict(type=SemanticDistillLoss), region=dict(type=RegionContrastiveLoss))
    return MODELS.build(dict(type=DistilledGrounder, student=student, teacher=teacher,
                             head={**dict(type=DUETHead, channels=32, embed_dims=16), **halves, **head}))


def test_what_the_other_tests_rely_on_tensors_of_two_devices_and_waiting_for_a_number_fail():
    with fake_gpu():
        here, there = torch.ones(3), torch.ones(3, device=GPU)
        with pytest.raises(RuntimeError, match='same device'):
            here + there
        with pytest.raises(DataDependentOutputException):
            there.sum().item()
        assert (here.to(GPU) + there).device == GPU
        with gpu_autocast(torch.float16):
            assert (there[None] @ there[:, None]).dtype == torch.float16


@pytest.mark.parametrize('name', sorted(TINY))
def test_a_prediction_of_a_student_comes_to_the_processor_at_its_end(name):
    model = MODELS.build(TINY[name]()).eval()
    batch = make_batch()
    with fake_gpu(model), torch.no_grad():
        features = model(**model.data_preprocessor(batch), mode='tensor')
        samples = model.predict(features, batch['data_samples'])
    assert {value.device for value in (features.boxes, features.query, features.visual, features.text)} == {GPU}
    assert all(sample.pred_instances.bboxes.device.type == 'cpu' for sample in samples)


@pytest.mark.parametrize('precision', PRECISIONS)
@pytest.mark.parametrize('name', sorted(TINY))
def test_a_distilled_step_stays_on_its_device_and_waits_for_nothing(name, precision, tmp_path):
    model = distil(tmp_path, TINY[name](), channels=CHANNELS.get(name, 32))
    losses = step(model, make_batch(), PRECISIONS[precision])
    assert {'loss_text', 'loss_region', 'loss_image', 'loss_relation', 'loss_contrast'} <= losses.keys()
    assert all(value.device == GPU and value.dtype == torch.float32 for value in losses.values())


@pytest.mark.parametrize('part', [*(('sampler', kind) for kind in SAMPLERS), *(('anchor', kind) for kind in ANCHORS)])
def test_every_sampler_and_anchor_works_on_a_device(part, tmp_path):
    changes = {'region': dict(type=RegionContrastiveLoss, across_images=True), part[0]: dict(type=part[1])}
    assert step(distil(tmp_path, tiny_transvg_config(), **changes), make_batch())['loss_contrast'].device == GPU


@pytest.mark.parametrize('projector', [RegionProjector, LocatedRegionProjector])
def test_every_projector_works_on_a_device(projector, tmp_path):
    losses = step(distil(tmp_path, tiny_transvg_config(), contrast_projector=dict(type=projector, reads='fused')), make_batch())
    assert losses['loss_contrast'].device == GPU


def test_a_convolutional_teacher_works_on_a_device(tmp_path):
    path = write_clip_config(tmp_path, 'tiny_resnet', vision_cfg=RESNET)
    model = distil(tmp_path, tiny_transvg_config())
    model.teacher = MODELS.build(dict(type=CLIPTeacher, model='tiny_resnet', model_config=path)).eval()
    assert step(model, make_batch())['loss_region'].device == GPU


def test_a_cached_teacher_and_crops_of_other_objects_work_on_a_device(tmp_path):
    root = make_cache_root(tmp_path / 'root')
    cfg = load_config(root, write_cache(root, tmp_path / 'cache', '--distractors'))
    dataset = build_dataset(root)
    model = MODELS.build(cfg.model)
    model.head.sampler.read_crops = True
    losses = step(model, grounding_collate([dataset[index] for index in range(4)]))
    assert all(value.device == GPU for value in losses.values())
