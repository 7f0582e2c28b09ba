from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from mmduet.apis import GroundingInferencer, PretrainedGrounder, explain
from mmduet.apis.attention import cut_to_image
from mmduet.apis.teachers import build_teacher
from mmduet.models import BaseGrounder
from mmduet.refshapes import make_example

TEXTS = ['the circle', 'the cross above the diamond']


@pytest.fixture(scope='module')
def toy():
    grounder = PretrainedGrounder.from_pretrained('toy')
    return GroundingInferencer(grounder), build_teacher(grounder.description.teacher)


def test_an_explanation_has_the_answer_and_maps_over_the_image(toy, tmp_path):
    ground, teacher = toy
    path = tmp_path / 'scene.png'
    Image.fromarray(make_example(2026, 'val', 0).image).resize((320, 160)).save(path)
    found = explain(ground, path, TEXTS, teacher)
    answers = ground(path, TEXTS)
    assert [item.result.to_dict() for item in found] == [answer.to_dict() for answer in answers]
    for item in found:
        assert item.attention.shape == (32, 64) and item.attention.dtype == np.float32
        assert item.attention.sum() == pytest.approx(1, abs=1e-5) and item.attention.min() >= 0
        assert item.similarity.shape == (8, 8) and np.abs(item.similarity).max() <= 1
    assert not np.allclose(found[0].similarity, found[1].similarity)


def test_the_toy_looks_at_what_it_finds(toy):
    ground, _ = toy
    inside = []
    for number in range(20):
        example = make_example(2026, 'val', number)
        item = explain(ground, example.image, example.expressions[0].text, channel_order='rgb')[0]
        x1, y1, x2, y2 = (round(value) for value in item.result.box)
        inside.append(item.attention[y1:y2, x1:x2].sum() / max((x2 - x1) * (y2 - y1) / 64**2, 1e-6))
    # Several times what an even attention would put there.
    assert np.median(inside) > 3


@pytest.mark.parametrize('size', [(1, 1), (3, 200), (200, 3)])
def test_narrow_images_have_maps_too(toy, size):
    ground, teacher = toy
    item, = explain(ground, Image.new('RGB', size), 'the ring', teacher)
    assert item.attention.sum() == pytest.approx(1, abs=1e-4) and np.isfinite(item.similarity).all()


def test_a_teacher_without_similarity_and_a_student_that_says_nothing(toy, monkeypatch):
    ground, _ = toy
    with pytest.raises(ValueError, match='SimpleNamespace gives no similarity, only boxes, text'):
        explain(ground, Image.new('RGB', (8, 8)), 'a', SimpleNamespace(gives={'text', 'boxes'}))
    monkeypatch.setattr(type(ground.model), 'extract_with_attention', BaseGrounder.extract_with_attention)
    item, = explain(ground, Image.new('RGB', (8, 8)), 'a')
    assert item.attention is None and item.similarity is None


def test_a_map_is_cut_to_where_the_image_lies():
    shares = torch.tensor([[0.0, 0.0], [0.25, 0.75]])
    found = cut_to_image(shares, (0, 3, 4, 4), 4)
    assert found.shape == (1, 4) and found.sum() == pytest.approx(1)
    assert torch.equal(found, found.sort().values) and found[0, 3] / found[0, 0] == pytest.approx(3)
    assert cut_to_image(torch.zeros(2, 2), (0, 0, 2, 4), 4).tolist() == [[1 / 8] * 2] * 4
