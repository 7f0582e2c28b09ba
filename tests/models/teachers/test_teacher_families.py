"""SigLIP2, EVA-CLIP and MobileCLIP2 as their configs build them, with random weights; each is built once."""
import copy

import pytest
import torch
from mmengine.config import Config

from mmduet.models import DistilledGrounder
from mmduet.models.teachers.crops import crop_and_resize
from tests.shared_data import ROOT
from tests.tiny_transvg import make_batch, tiny_transvg_config
from tests.unset_weights import repeated_weights

BASE = ROOT / 'mmduet/configs/_base_'
# Width, input size, feature size, text length, mean and std of red, and kernel of the resize.
FAMILIES = {
    'siglip2_vit_b16': (768, (224, 224), (14, 14), 64, 0.5, 0.5, 'bicubic'),
    'eva02_vit_b16': (512, (224, 224), (14, 14), 77, 0.48145466, 0.26862954, 'bicubic'),
    'mobileclip2_s0': (512, (256, 256), (8, 8), 77, 0.0, 1.0, 'bilinear'),
}


@pytest.fixture(scope='module', params=FAMILIES)
def family(request):
    """A tiny student under the teacher of a config, and what that teacher's family is known for."""
    torch.manual_seed(0)
    teacher = Config.fromfile(BASE / f'teachers/{request.param}.py').teacher
    teacher.update(pretrained=None, precision='float32')
    head = Config.fromfile(BASE / 'duet_head.py').duet_head
    with repeated_weights():
        return DistilledGrounder(tiny_transvg_config(), teacher, head).train(), FAMILIES[request.param]


def weigh(module):
    """A sum of each tensor, which a step of the optimizer moves."""
    return [tensor.float().sum().item() for tensor in module.state_dict().values()]


def test_it_teaches_two_steps(family, monkeypatch):
    model, (width, size, feature_size, _, mean, std, kernel) = family
    given, pixels, teach, teacher = [], [], model.teach, model.teachers['teacher']
    # The second step repeats what was given in the first: a look costs seconds.
    monkeypatch.setattr(model, 'teach', lambda batch: (given or given.append(teach(batch)) or given)[0])
    entry = next(teacher.clip.visual.trunk.children())
    handle = entry.register_forward_pre_hook(lambda module, inputs: pixels.append(inputs[0]))
    taught, student, head = weigh(teacher), copy.deepcopy(model.student.state_dict()), weigh(model.head.spaces)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    batch = model.data_preprocessor(make_batch(), True)['batch']
    for _ in range(2):
        losses = model(batch, mode='loss')
        assert losses.keys() > {'loss_text', 'loss_region', 'loss_image', 'loss_relation', 'loss_contrast'}
        assert all(torch.isfinite(loss) for loss in losses.values())
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    handle.remove()

    assert weigh(teacher) == taught and weigh(model.head.spaces) != head
    assert any(not torch.equal(value, student[name]) for name, value in model.student.state_dict().items())
    first = given[0]['teacher']
    assert first.text.shape == first.region.shape == first.image.shape == (2, width)
    assert first.similarity.shape == (2, *feature_size) and first.similarity.abs().max() <= 1
    assert first.similarity.flatten(1).std(dim=1).min() > 1e-4, 'its patches differ'
    for embedding in (first.text, first.region, first.image):
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))
    # What entered the tower: whole images resized to its size, then crops, with its own statistics.
    red = (crop_and_resize(batch.images(), batch.content.float(), size, kernel)[:, 0] - mean) / std
    assert pixels[0].shape == (4, 3, *size)
    torch.testing.assert_close(pixels[0][:2, 0], red, atol=1e-5, rtol=0)


@torch.no_grad()
def test_its_text_is_cleaned_and_has_its_length_and_the_scale_plays_no_part(family):
    teacher, length = family[0].teachers['teacher'], family[1][3]
    tokens = teacher.tokenize(['The  RED circle', 'the red circle', 'the blue circle'])
    assert tokens.shape == (3, length) and torch.equal(tokens[0], tokens[1]) and not torch.equal(tokens[1], tokens[2])
    punctuated = teacher.tokenize(['the red, circle!', 'the red circle'])
    assert torch.equal(punctuated[0], punctuated[1]) == (length == 64), 'SigLIP2 drops punctuation, CLIP reads it'
    before = teacher.embed_texts(['the red circle'])
    teacher.clip.logit_scale += 1
    if teacher.clip.logit_bias is not None:
        teacher.clip.logit_bias += 5
    assert torch.equal(teacher.embed_texts(['the red circle']), before)
