"""``optimise_for_cpu`` changes how fast a model answers, and nothing else; on another device, nothing at all."""
import copy

import pytest
import torch
from mmcv.cnn.bricks.transformer import FFN
from torch import nn
from torch.overrides import TorchFunctionMode

from mmduet.models import DistilledGrounder, DUETHead
from mmduet.models.cpu import optimise_for_cpu, swin
from mmduet.models.cpu.dropout import CPUDropout
from mmduet.models.cpu.linear import CPULinear
from mmduet.models.distill import RegionContrastTerm
from mmduet.models.task_modules import LocationSampler
from mmduet.models.teachers import CLIPTeacher
from mmduet.registry import MODELS
from tests.distill_batch import TERMS
from tests.fake_gpu import fake_gpu
from tests.models.students.test_conformance import CONFIGS, build_student, make_data
from tests.tiny_clip_config import RESNET, write_clip_config
from tests.tiny_qrnet import tiny_qrnet_config
from tests.tiny_transvg import make_batch, tiny_transvg_config

STUDENTS = pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
# By location alone: semantics are spread over [0, 1], which multiplies the rounding of a teacher whose patches are all alike.
CONTRAST = dict(type=RegionContrastTerm, sampler=dict(type=LocationSampler))
WIDE = torch.backends.cpu.get_cpu_capability() == 'AVX512'


class Recorder(TorchFunctionMode):
    """The names of all functions of torch that are called and compute."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func.__name__ not in ('__get__', 'dim', 'numel', 'size', 'is_floating_point'):
            self.names.append(func.__name__)
        return func(*args, **(kwargs or {}))


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(getattr(module, 'dropout', None), float):
            module.dropout = 0.0
        elif hasattr(module, 'dropout_prob'):
            module.dropout_prob = 0.0
    return model


def awake(model):
    """A model without dropout, whose gates do something."""
    without_dropout(model)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.abs().sum():
                parameter.normal_(std=0.1)
    return model


def build(path):
    return awake(build_student(path))


def distil(folder, **vision):
    torch.manual_seed(0)
    teacher = dict(type=CLIPTeacher, model='tiny_clip', model_config=write_clip_config(folder, 'tiny_clip', **vision))
    return awake(MODELS.build(dict(type=DistilledGrounder, student=tiny_transvg_config(), teacher=teacher,
                                   head=dict(type=DUETHead, terms={**TERMS, 'contrast': CONTRAST}))))


def gradients(model):
    losses = model(**model.data_preprocessor(make_data(64), True), mode='loss')
    sum(losses.values()).backward()
    return losses, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def answer(model):
    with torch.no_grad():
        return model.eval()(**model.data_preprocessor(make_data(64)), mode='tensor')


def assert_close(got, expected, tolerance=1e-5):
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        # The gradient of a bias below a softmax is zero, and what is seen of it is rounding.
        assert (got[name] - value).abs().max() <= tolerance * max(value.abs().max().item(), 1e-2), name


@STUDENTS
def test_a_student_keeps_its_answers_gradients_and_parameters(path, monkeypatch):
    plain = build(path)
    fast = copy.deepcopy(plain)
    before = dict(fast.named_parameters())
    assert optimise_for_cpu(fast) is fast
    assert dict(fast.named_parameters()) == before and fast.state_dict().keys() == plain.state_dict().keys()
    monkeypatch.setattr(swin, 'AT_ONCE', 1000)
    ours, theirs = answer(fast), answer(plain)
    for field in ('boxes', 'query', 'visual', 'text', 'fused'):
        assert torch.allclose(getattr(ours, field), getattr(theirs, field), atol=1e-5), field
    plain.train(), fast.train()
    (losses, mine), (expected, reference) = gradients(fast), gradients(plain)
    assert_close(losses, expected)
    assert_close(mine, reference)


@pytest.mark.parametrize('vision', [{}, dict(vision_cfg=RESNET)], ids=['vit', 'resnet'])
def test_a_distilled_grounder_and_its_teacher_keep_theirs(vision, tmp_path):
    # A copy of a distilled model would share its teacher.
    plain, fast = distil(tmp_path, **vision), optimise_for_cpu(distil(tmp_path, **vision))
    assert isinstance(fast.student.visual_proj, CPULinear)
    assert any(isinstance(module, CPULinear) for module in fast.teachers.modules())
    batch = plain.data_preprocessor(make_data(64), True)['batch']
    required = {'text', 'region', 'image', 'similarity'}
    said, wanted = (model.teachers['teacher'](batch, required).given() for model in (fast, plain))
    assert_close(said, wanted)
    (losses, mine), (expected, reference) = gradients(fast), gradients(plain)
    assert_close(losses, expected)
    # What differs between teachers and between students adds up.
    assert_close(mine, reference, tolerance=3e-5)


@STUDENTS
def test_a_copy_of_an_optimised_model_is_one_with_weights_of_its_own(path):
    fast = optimise_for_cpu(build(path))
    theirs = copy.deepcopy(fast)
    assert [type(module) for module in theirs.modules()] == [type(module) for module in fast.modules()]
    expected = answer(fast).boxes
    with torch.no_grad():
        for parameter in fast.parameters():
            parameter.zero_()
    assert torch.equal(answer(theirs).boxes, expected)


def test_dropout_of_transformers_draws_as_ever_and_ours_faster():
    fast = optimise_for_cpu(MODELS.build(tiny_transvg_config()))
    assert {type(module) for module in fast.text_encoder.modules() if isinstance(module, nn.Dropout)} == {nn.Dropout}
    assert {type(module) for module in fast.fusion.modules() if isinstance(module, nn.Dropout)} == {CPUDropout}


@pytest.fixture
def deep_qrnet(monkeypatch):
    """A QRNet with the 24 blocks of Swin-S on 64 px canvases, and a list that grows with the calls of their networks."""
    monkeypatch.setattr(swin, 'AT_ONCE', 1000)
    config = tiny_qrnet_config(feature_size=2)
    config['backbone'].update(depths=(2, 2, 18, 2), num_heads=(1, 2, 4, 8), strides=(4, 2, 2, 2), out_indices=(0, 1, 2, 3))
    model, calls = optimise_for_cpu(MODELS.build(config).eval()), []
    for module in model.backbone.modules():
        if isinstance(module, FFN):
            module.layers.register_forward_hook(lambda *_: calls.append(1))
    return model, calls


@pytest.mark.parametrize('batch', [1, 64])
def test_on_a_gpu_a_block_of_swin_calls_its_network_once_whatever_the_batch(batch, deep_qrnet):
    model, calls = deep_qrnet
    data = {key: (value * batch)[:batch] for key, value in make_batch().items()}
    with fake_gpu(model), torch.no_grad():
        model(**model.data_preprocessor(data), mode='tensor')
    assert len(calls) == 24


def test_on_a_cpu_it_does_so_piece_by_piece(deep_qrnet):
    model, calls = deep_qrnet
    with torch.no_grad():
        model(**model.data_preprocessor(make_batch()), mode='tensor')
    assert len(calls) > 100


@STUDENTS
def test_on_a_gpu_an_optimised_student_runs_what_the_plain_one_runs(path):
    def operations(model):
        with fake_gpu(model), Recorder() as recorder:
            model(**model.data_preprocessor(make_data(64), True), mode='loss')
        return recorder.names

    plain = build_student(path)
    assert operations(optimise_for_cpu(copy.deepcopy(plain))) == operations(plain)


def test_other_kinds_of_layers_stay_what_they_are():
    class Scaled(nn.Linear):
        def forward(self, input):
            return 2 * super().forward(input)

    model = nn.Sequential(Scaled(4, 4), nn.Linear(4, 4), nn.Conv2d(3, 3, 1))
    assert [type(module) for module in optimise_for_cpu(model)] == [Scaled, CPULinear, nn.Conv2d]


@pytest.mark.skipif(not WIDE, reason='this processor has no AVX-512')
def test_a_network_over_many_tokens_computes_by_convolutions():
    model = optimise_for_cpu(nn.Sequential(nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 128))).eval()
    with torch.no_grad(), torch.profiler.profile() as profile:
        model(torch.randn(81, 256))
    assert {event.key: event.count for event in profile.key_averages()}['aten::mkldnn_convolution'] == 2
