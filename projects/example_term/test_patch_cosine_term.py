from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import OptimWrapper

from mmduet.engine.config_tools import drop_pretrained
from mmduet.registry import MODELS
from mmduet.structures import TeacherTargets
from projects.example_term.patch_cosine_term import PatchCosineTerm
from tests.distill_batch import CHANNELS, EMBED_DIMS, make_batch, make_features, make_space
from tests.models.students.test_conformance import make_data

CONFIG = Path(__file__).parent / 'configs/transvg_duet_patch_refshapes.py'


def read_model():
    config = Config.fromfile(CONFIG)
    drop_pretrained(config)
    return config.model


def one_hot_patches(*numbers):
    """(1, D, 1, n) patches, each a unit vector along one axis."""
    return F.one_hot(torch.tensor(numbers), EMBED_DIMS).T.float()[None, :, None]


def test_each_patch_meets_the_map_at_its_place_and_padding_is_never_read():
    # The content is the middle 48 of 64 rows: rows 1 and 2 of a map of 4 x 4 lie wholly on it, where two patches have centres.
    term, features, batch = PatchCosineTerm(make_space(), weight=2.0), make_features(1), make_batch(1)
    visual = torch.zeros(1, CHANNELS, 4, 4)
    visual[:, 0, :, :2], visual[:, 1, :, 2:] = 1.0, 1.0
    visual[:, :, [0, 3]] += 0.0
    left, right = term.projector(visual[0, :, 1, 0]), term.projector(visual[0, :, 1, 3])
    patches = one_hot_patches(0, 3)
    expected = 2 * (1 - (left[0] + right[3]) / 2)
    loss = term(replace(features, visual=visual), TeacherTargets(patches=patches), batch, 0)
    torch.testing.assert_close(loss, expected)


def test_a_student_that_shows_the_teachers_patches_costs_nothing():
    term, features, batch = PatchCosineTerm(make_space()), make_features(1), make_batch(1)
    visual = torch.ones(1, CHANNELS, 4, 4)
    patches = term.projector(visual.movedim(1, -1)).movedim(-1, 1).detach()
    loss = term(replace(features, visual=visual), TeacherTargets(patches=patches), batch, 0)
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_the_config_of_this_folder_trains_the_term_with_the_others():
    torch.manual_seed(0)
    model = MODELS.build(read_model()).train()
    before = model.head.terms['patch'].projector.layers[0].weight.clone()
    optimizer = OptimWrapper(torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-3))
    logs = [model.train_step(make_data(64), optimizer) for _ in range(2)]
    assert {'loss_text', 'loss_region', 'loss_image', 'loss_relation', 'loss_contrast', 'loss_patch'} <= logs[0].keys()
    assert logs[1]['loss_patch'] < logs[0]['loss_patch'] and not torch.equal(
        before, model.head.terms['patch'].projector.layers[0].weight)


def test_a_teacher_that_gives_no_patches_is_refused_by_both_names():
    model = read_model()
    model.teacher = dict(type='mmduet.CachedTeacher', cache='nowhere', teacher=model.teacher)
    with pytest.raises(ValueError, match=r"the term 'patch' \(PatchCosineTerm\) requires patches, which CachedTeacher"):
        MODELS.build(model)
