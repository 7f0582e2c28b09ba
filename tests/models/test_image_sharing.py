import pytest
import torch

from mmduet.models.image_sharing import SharedImages, share_images
from mmduet.registry import MODELS
from mmduet.structures import Canvas
from tests.tiny_transvg import make_batch, make_sample, tiny_transvg_config

CANVAS = Canvas(size=4, left=0, top=0, width=4, height=4, scale_x=1.0, scale_y=1.0)
BOX = (0.0, 0.0, 2.0, 2.0)


def samples_of(*names):
    samples = [make_sample('thing', CANVAS, BOX, key=str(number)) for number in range(len(names))]
    for sample, name in zip(samples, names, strict=True):
        sample.set_metainfo({'img_path': name})
    return samples


def test_expressions_of_one_photo_share_its_canvas():
    inputs = torch.tensor([1.0, 2.0, 1.0, 1.0])[:, None, None, None].expand(4, 3, 4, 4)
    shared = share_images(inputs, samples_of('a', 'b', 'a', 'a'))
    assert shared.first.tolist() == [0, 1] and shared.owner.tolist() == [0, 1, 0, 0]
    seen = []

    def encode(images, more):
        seen.append(len(images))
        return images.sum((1, 2, 3)) + more

    torch.testing.assert_close(shared.encode(encode, inputs, torch.arange(4.0)), torch.tensor([48.0, 97.0, 48.0, 48.0]))
    assert seen == [2]


def test_other_pixels_or_another_place_are_another_canvas():
    inputs = torch.zeros(3, 3, 4, 4)
    inputs[1, 0, 0, 0] = 1
    assert share_images(inputs[:2], samples_of('a', 'a')) == SharedImages()
    samples = samples_of('a', 'a')
    samples[1].set_metainfo({'canvas': Canvas(size=4, left=0, top=1, width=4, height=3, scale_x=1.0, scale_y=1.0)})
    assert share_images(inputs[[0, 2]], samples).first is None


@pytest.mark.parametrize('training', [False, True])
def test_a_student_encodes_a_photo_once_and_answers_as_one_by_one(training):
    torch.manual_seed(0)
    model = MODELS.build(tiny_transvg_config()).train(training)
    photos, samples = (make_batch()[name] for name in ('inputs', 'data_samples'))
    words = ('the red circle', 'left', 'big dog on the far right', 'the one above')
    wide = [make_sample(text, samples[0].canvas, BOX, key=str(number)) for number, text in enumerate(words)]
    for sample in wide:
        sample.set_metainfo({'img_path': 'a.jpg'})
    batch = model.data_preprocessor({'inputs': [photos[0]] * 4 + [photos[1]], 'data_samples': [*wide, samples[1]]})
    encoded = []
    model.visual_encoder.register_forward_pre_hook(lambda module, arguments: encoded.append(len(arguments[0])))
    with torch.no_grad():
        together = model(batch['inputs'], batch['data_samples'], 'tensor').boxes[-1]
        assert encoded == [5 if training else 2]
        if training:
            return
        alone = [model(batch['inputs'][k:k + 1], batch['data_samples'][k:k + 1], 'tensor').boxes[-1] for k in range(5)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)
