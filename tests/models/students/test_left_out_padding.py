"""Visual tokens that are padding are left out of the transformers: boxes, losses and gradients are those with them."""
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn

from mmduet.models.layers.attention import Attention
from mmduet.models.score_heads import AgreementScoreHead, IoUScoreHead
from mmduet.structures import Canvas
from tests.models.students.test_conformance import CONFIGS, build_student, make_data
from tests.models.test_gpu import distil
from tests.tiny_transvg import make_sample

SIZE = 64
# Content of each image on its canvas, xyxy in pixels; and how many of 8 x 8 tokens are then encoded.
BATCHES = {
    'landscape, centred': ([(0, 8, 64, 56), (0, 8, 64, 56)], 48),
    'landscape, shifted': ([(0, 0, 64, 48), (0, 16, 64, 64)], 48),
    'portrait, centred and shifted': ([(16, 0, 48, 64), (32, 0, 64, 64)], 32),
    'mixed': ([(0, 8, 64, 56), (24, 0, 64, 64)], 48),
    'small and between tokens': ([(3, 5, 44, 36), (20, 13, 51, 61)], 24),
    'a strip': ([(0, 30, 64, 33), (60, 0, 63, 64)], 8),
    'square': ([(0, 0, 64, 64), (0, 0, 64, 64)], None),
    'one is square': ([(0, 0, 64, 64), (0, 8, 64, 40)], None),
    'one': ([(0, 24, 64, 64)], 40),
    'parts': ([(0, 0, 64, 64), (8, 8, 32, 40), (0, 8, 64, 56), (0, 40, 64, 64), (16, 0, 48, 64)], (24, 48, 64))}
LEAVE_OUT = {'CLIPVG', 'TransVG'}
STUDENTS = [path for path in CONFIGS if path.stem.startswith(('clip_vg', 'transvg'))]


def load(contents, texts=('the red square on the left', 'big ball', 'a star', 'small ring', 'the green one')):
    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for number, ((left, top, right, bottom), text) in enumerate(zip(contents, texts, strict=False)):
        width, height = right - left, bottom - top
        canvas = Canvas(size=SIZE, left=left, top=top, width=width, height=height, scale_x=0.5, scale_y=0.5)
        inputs.append(torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8))
        samples.append(make_sample(text, canvas, (0.0, 0.4 * height, 1.5 * width, 2.0 * height), key=str(number)))
    return {'inputs': inputs, 'data_samples': samples}


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, Attention):
            module.dropout = 0.0
    return model


def with_and_without(given, data):
    """Of a training step that encodes padding and of one that does not: its batch, losses and gradients."""
    for encode_padding in (True, False):
        model = deepcopy(given)  # a distilled model draws regions by the number of its steps
        model.data_preprocessor.encode_padding = encode_padding
        batch = model.train().data_preprocessor(data, True)['batch']
        losses = model(batch, mode='loss')
        sum(losses.values()).backward()
        yield batch, losses, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def check(model, data):
    """Losses and gradients of a step with padding encoded are those without; the second batch."""
    (first, losses, gradients), (second, left_out, others) = with_and_without(without_dropout(model), data)
    assert first.kept_of_images is None and first.kept_of_expressions is None
    torch.testing.assert_close(left_out, losses, atol=1e-5, rtol=1e-5)
    assert gradients.keys() == others.keys()
    scale = max(float(value.abs().max()) for value in gradients.values())
    for name, value in gradients.items():
        assert float((value - others[name]).abs().max()) <= 1e-5 * max(scale, 1), name
    return second


@pytest.mark.parametrize('name', BATCHES)
@pytest.mark.parametrize('path', STUDENTS, ids=lambda path: path.stem)
def test_a_training_step_is_that_with_padding(path, name):
    contents, kept = BATCHES[name]
    model = build_student(path)
    encoded = []
    model.fusion.register_forward_pre_hook(lambda module, arguments: encoded.append(arguments[0].shape[1]))
    batch = check(model, load(contents))
    # CLIP-VG rounds halves of tokens to padding, or to none: it may have a row more or less of the odd ones.
    if 'clip_vg' not in path.stem or 'between' not in name:
        assert batch.kept_of_images == ((kept, ) if isinstance(kept, int) else kept)
    whole, *left_out = encoded
    assert [whole - length for length in left_out] == [64 - count for count in batch.kept_of_expressions or (64, )]


@pytest.mark.parametrize('path', STUDENTS, ids=lambda path: path.stem)
def test_a_prediction_its_score_and_its_maps_are_those_with_padding_and_do_not_depend_on_the_batch(path):
    model = build_student(path).eval()
    torch.manual_seed(0)
    model.score_head = IoUScoreHead(model.channels).eval()
    contents, _ = BATCHES['mixed']
    answers = []
    for encode_padding, given in ((True, contents), (False, contents), (False, [*contents, (0, 0, 64, 64), (0, 0, 64, 8)])):
        model.data_preprocessor.encode_padding = encode_padding
        batch = model.data_preprocessor(load(given))['batch']
        with torch.no_grad():
            features = model.extract_with_attention(batch)
            predicted = [sample.pred_instances for sample in model(batch, mode='predict')][:2]
            answers.append([torch.cat([getattr(each, name) for each in predicted]) for name in ('bboxes', 'scores')]
                           + [getattr(features, name)[:2] for name in ('visual', 'fused', 'attention', 'query')])
    for other in answers[1:]:
        torch.testing.assert_close(other, answers[0], atol=1e-5, rtol=1e-5)


def test_an_agreement_score_is_that_with_padding_wherever_the_box_lies():
    model = build_student(STUDENTS[-1]).eval()
    torch.manual_seed(0)
    model.score_head = AgreementScoreHead(model.channels, {'placed': 6, 'text': 5}).eval()
    scores = []
    for encode_padding in (True, False):
        model.data_preprocessor.encode_padding = encode_padding
        features = model(model.data_preprocessor(load(BATCHES['mixed'][0]))['batch'])
        outside = replace(features, boxes=torch.tensor([[[0.5, 0.1, 0.4, 0.2], [0.1, 0.5, 0.6, 0.3]]]))
        scores.append(torch.stack([model.confidence(each) for each in (features, outside)]))
    torch.testing.assert_close(*scores, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('path', STUDENTS, ids=lambda path: path.stem)
def test_what_distils_reads_the_same_maps_with_and_without(path, tmp_path):
    batch = check(distil(tmp_path, build_student(path)), load(BATCHES['mixed'][0]))
    assert batch.kept_of_images == (48, )


@pytest.mark.parametrize('path', STUDENTS, ids=lambda path: path.stem)
def test_expressions_that_share_an_image_keep_its_tokens(path):
    texts, images = ('the red square on the left', 'big ball', 'a blue star'), (0, 1, 0)
    batch = check(build_student(path), make_data(SIZE, texts, images))
    assert (batch.kept_of_images, batch.kept_of_expressions) == ((48, ), (48, 48))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_student_that_reads_padding_keeps_all_of_its_map(path):
    model = build_student(path)
    kept = model.data_preprocessor(load(BATCHES['mixed'][0]))['batch'].kept_of_images
    assert (kept is not None) == (type(model).__name__ in LEAVE_OUT)


def test_a_config_can_have_padding_encoded():
    from mmduet.registry import MODELS
    from tests.tiny_transvg import tiny_transvg_config
    config = tiny_transvg_config()
    config['data_preprocessor'].update(encode_padding=True)
    kept = [MODELS.build(each).data_preprocessor(load(BATCHES['mixed'][0]))['batch'].kept_of_images
            for each in (tiny_transvg_config(), config)]
    assert kept == [(48, ), None]
