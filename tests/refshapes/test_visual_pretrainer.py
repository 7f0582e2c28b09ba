from types import SimpleNamespace

import pytest
import torch

from mmduet.refshapes.visual_pretrainer import VisualPretrainer
from mmduet.registry import MODELS
from tests.tiny_transvg import tiny_transvg_config


@pytest.fixture
def pretrainer():
    torch.manual_seed(0)
    return VisualPretrainer(tiny_transvg_config()['visual_encoder'], feature_size=8)


def _scene(*boxes_and_labels):
    boxes, labels = zip(*boxes_and_labels, strict=True)
    return SimpleNamespace(boxes=torch.tensor(boxes), labels=torch.tensor(labels))


def test_tokens_on_an_object_get_its_category_and_box_and_others_nothing(pretrainer):
    steps = (torch.arange(8) + 0.5) / 8
    centres = torch.stack(torch.meshgrid(steps, steps, indexing='xy'), dim=-1).reshape(-1, 2)
    scene = _scene(([0.25, 0.25, 0.25, 0.25], 37), ([0.75, 0.75, 0.25, 0.25], 5))
    covered, category, box = pretrainer._assign(centres, scene.boxes, scene.labels)
    # Each object of a quarter's side covers 2 x 2 of the 8 x 8 visual tokens; label 37 is category 3.
    tokens = covered.view(8, 8).nonzero().tolist()
    assert tokens == [[1, 1], [1, 2], [2, 1], [2, 2], [5, 5], [5, 6], [6, 5], [6, 6]]
    assert category.view(8, 8)[1, 2] == 3 and category.view(8, 8)[6, 6] == 0
    assert box.view(8, 8, 4)[5, 5].tolist() == [0.75, 0.75, 0.25, 0.25]


def test_one_batch_is_overfitted_and_its_visual_encoder_fits_the_student(pretrainer):
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randint(0, 256, (3, 64, 64), generator=generator, dtype=torch.uint8) for _ in range(2)]
    scenes = [_scene(([0.3, 0.3, 0.3, 0.3], 12)), _scene(([0.6, 0.7, 0.4, 0.3], 71))]
    optimizer = torch.optim.Adam(pretrainer.parameters(), 5e-3)
    totals = []
    for _ in range(30):
        losses = pretrainer(inputs, scenes, mode='loss')
        total = sum(value for name, value in losses.items() if 'loss' in name)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.2 * totals[0]
    assert losses['category_accuracy'] == 1
    student = MODELS.build(tiny_transvg_config())
    part = {key: value for key, value in pretrainer.state_dict().items() if key.startswith('visual_encoder.')}
    assert student.load_state_dict(part, strict=False).unexpected_keys == []
