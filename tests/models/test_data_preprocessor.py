from collections import Counter

import pytest
import torch

from mmduet.datasets import grounding_collate
from mmduet.models import GroundingDataPreprocessor
from mmduet.models.layers.tokenizers import HashingTokenizer
from mmduet.registry import MODELS
from mmduet.structures import Canvas, draw_canvases
from tests.fake_gpu import GPU, fake_gpu
from tests.models.students.test_conformance import CONFIGS, build_student, make_data
from tests.tiny_grounder import TinyGrounder
from tests.tiny_transvg import make_batch, tiny_transvg_config


def test_images_are_normalised_and_placed_on_a_zero_canvas():
    data = make_batch()
    pixels = GroundingDataPreprocessor()(data)['batch'].pixels
    assert pixels.shape == (2, 3, 64, 64)
    assert pixels.is_contiguous(memory_format=torch.channels_last)
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    assert torch.allclose(pixels[0, :, 8:56], (data['inputs'][0] / 255 - mean) / std, atol=1e-6)
    assert pixels[0, :, :8].abs().sum() == pixels[1, :, :, 48:].abs().sum() == 0


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
@pytest.mark.parametrize('kind', [torch.bfloat16, torch.float16])
def test_under_autocast_pixels_are_what_the_first_layer_would_have_cast_and_teachers_see_float32(path, kind):
    student, plain = build_student(path).eval(), make_data(64)
    assert student.convolves_pixels and student.data_preprocessor.casts_pixels
    before = student.data_preprocessor(make_data(64))['batch']
    assert before.pixels.dtype == torch.float32 and before.canvases is None
    with torch.autocast('cpu', kind), torch.no_grad():
        batch = student.data_preprocessor(make_data(64))['batch']
        student.data_preprocessor.casts_pixels = False
        float_batch = student.data_preprocessor(plain)['batch']
        assert (batch.pixels.dtype, float_batch.pixels.dtype) == (kind, torch.float32)
        assert batch.pixels.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(batch.pixels, float_batch.pixels.to(kind))
        found, expected = student(batch), student(float_batch)
    for name in ('boxes', 'query', 'visual', 'fused', 'text'):
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    images = batch.images()
    assert images.dtype == torch.float32 and torch.allclose(images, before.images(), atol=1e-6)
    assert torch.equal(images * 255, batch.canvases.float()) and images[:, :, 0, 0].abs().sum() == 0


def test_a_student_that_does_other_things_with_pixels_first_gets_them_in_float32():
    student = TinyGrounder()
    with torch.autocast('cpu', torch.bfloat16):
        assert student.data_preprocessor(make_batch())['batch'].pixels.dtype == torch.float32


def test_other_statistics_normalise_otherwise():
    data = make_batch()
    batch = GroundingDataPreprocessor(mean=(0.5, 0.5, 0.5), std=(0.25, 0.5, 1.0))(data)['batch']
    expected = (data['inputs'][0] / 255 - 0.5) / torch.tensor([0.25, 0.5, 1.0]).view(3, 1, 1)
    assert torch.allclose(batch.pixels[0, :, 8:56], expected, atol=1e-6)
    assert batch.std.flatten().tolist() == [0.25, 0.5, 1.0]


def test_statistics_are_no_part_of_a_checkpoint():
    assert GroundingDataPreprocessor().state_dict() == {}


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize('collated', [False, True])
def test_expressions_share_the_image_that_is_one_tensor(training, collated):
    image, samples = make_batch()['inputs'][0], [make_batch()['data_samples'][0] for _ in range(3)]
    images = [image, image.clone(), image]
    data = {'inputs': images, 'data_samples': samples} if not collated else grounding_collate(
        [{'inputs': image, 'data_samples': sample} for image, sample in zip(images, samples, strict=True)])
    batch = GroundingDataPreprocessor()(data, training)['batch']
    assert batch.pixels.shape == (2, 3, 64, 64) and batch.image_index.tolist() == [0, 1, 0]
    assert torch.equal(batch.pixels[0], batch.pixels[1])


@pytest.mark.parametrize('drawn', [False, True])
def test_images_in_another_order_than_their_expressions_give_the_same_boxes(drawn):
    torch.manual_seed(0)
    model, data = MODELS.build(tiny_transvg_config()).eval(), make_batch()
    images, index = data['inputs'][::-1], [1, 0]
    if drawn:
        images = draw_canvases(images, [sample.canvas for sample in data['data_samples'][::-1]], ['b', 'a'])
    with torch.no_grad():
        expected = model.extract(model.data_preprocessor(data)['batch']).boxes
        found = model.extract(model.data_preprocessor({**data, 'inputs': images, 'image_index': index})['batch']).boxes
    assert torch.equal(found, expected) and not torch.allclose(expected[:, 0], expected[:, 1])


def test_token_ids_are_the_tokenizers_unless_the_worker_made_them():
    preprocessor, data = GroundingDataPreprocessor(), make_batch()
    assert preprocessor(data)['batch'].token_ids is None
    preprocessor.tokenizer = HashingTokenizer(1000, max_tokens=12)
    batch = preprocessor(data)['batch']
    ids, padding = preprocessor.tokenizer([sample.text for sample in data['data_samples']])
    assert torch.equal(batch.token_ids, ids) and torch.equal(batch.text_padding, padding)
    data['data_samples'][1].set_metainfo({'token_ids': [101, 7, 102]})
    batch = preprocessor(data)['batch']
    assert torch.equal(batch.token_ids[0], ids[0]) and batch.token_ids[1].tolist() == [101, 7, 102, 0, 0, 0, 0, 0]


def test_training_wants_a_target_and_prediction_none():
    data = make_batch()
    del data['data_samples'][1].gt_instances
    batch = GroundingDataPreprocessor()(data)['batch']
    assert batch.has_box.tolist() == [[True], [False]]
    with pytest.raises(ValueError, match="expression 'b'"):
        GroundingDataPreprocessor()(data, True)


def launches(size, shared):
    """Operations on the GPU to make a batch, counted by name."""
    data, model = make_batch(), MODELS.build(tiny_transvg_config())
    images = [image if shared else image.clone() for image in data['inputs'] * (size // 2)]
    samples = [sample for _ in range(size // 2) for sample in make_batch()['data_samples']]
    items = [{'inputs': image, 'data_samples': sample} for image, sample in zip(images, samples, strict=True)]
    with fake_gpu(model) as launched:
        batch = model.data_preprocessor(grounding_collate(items), True)['batch']
        counted = Counter(launched)
    assert len(batch.pixels) == (2 if shared else size)
    return counted


@pytest.mark.parametrize('shared', [False, True])
def test_copies_and_launches_of_a_batch_do_not_grow_with_it(shared):
    few, many = launches(4, shared), launches(24, shared)
    assert few == many
    assert sum(few.values()) < 80
    assert few['aten.addcmul.out'] == 1 and not few['aten.div.Tensor']  # a normalisation is one pass over the pixels


def test_a_batch_reaches_the_device_by_three_copies_and_a_step_converts_a_box_once(monkeypatch):
    copies, conversions = [], []
    real_to, real_convert = torch.Tensor.to, Canvas.to_canvas

    def to(self, *arguments, **settings):
        moved = real_to(self, *arguments, **settings)
        if self.device != moved.device:
            copies.append(self.dtype)
        return moved

    model = MODELS.build(tiny_transvg_config())
    with fake_gpu(model):
        monkeypatch.setattr(torch.Tensor, 'to', to)
        monkeypatch.setattr(Canvas, 'to_canvas', lambda *given: conversions.append(len(given[1])) or real_convert(*given))
        batch = model.data_preprocessor(make_batch(), True)['batch']
        losses = model(batch, 'loss')
        monkeypatch.undo()
    assert sorted(map(str, copies)) == ['torch.float32', 'torch.int64', 'torch.uint8']
    assert conversions == [1, 1]
    tensors = (batch.pixels, batch.content, batch.token_ids, batch.boxes, batch.other_boxes, batch.identity.image, batch.mean)
    assert {tensor.device for tensor in (*tensors, *losses.values())} == {GPU}
