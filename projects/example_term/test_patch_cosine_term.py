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


def one_hot_patches(rows):
    """(1, D, h, w) patches, each the unit vector of the axis that its number names."""
    return F.one_hot(torch.tensor(rows), EMBED_DIMS).movedim(-1, 0).float()[None]


def make_map(batch, rows):
    """Features of one image whose map shows, at each place, the unit vector of the axis that its number names."""
    visual = F.one_hot(torch.tensor(rows), CHANNELS).movedim(-1, 0).float()[None]
    return replace(make_features(1), visual=visual, visual_padding=batch.padding(4))


# The image fills rows 8 to 56 of 64, so that the first row of a map of 4 x 4 is padding and the third lies at its middle.
ROWS = [[5] * 4, [0, 0, 1, 1], [2, 2, 3, 3], [4] * 4]


def test_each_visual_token_meets_the_patch_at_its_place_by_hand():
    term, batch = PatchCosineTerm(make_space(), weight=2.0), make_batch(1)
    features, patches = make_map(batch, ROWS), one_hot_patches([[0, 1], [2, 3]])
    assert features.visual_padding[0].tolist() == [[True] * 4, [False] * 4, [False] * 4, [False] * 4]
    seen = term.projector(features.visual[0].movedim(0, -1))
    # Centres of the rows, 24, 40 and 56 px, are at 1/3, 2/3 and 1 of the image; patches' at 1/4 and 3/4: a sixth of the way.
    # Centres of the columns, 1/8, 3/8, ...: before the first patch, a quarter and three quarters of the way, behind the last.
    down, right = [1 / 6, 5 / 6, 1], [0, 1 / 4, 3 / 4, 1]
    distances = []
    for row, y in enumerate(down, start=1):
        for column, x in enumerate(right):
            taught = torch.tensor([(1 - y) * (1 - x), (1 - y) * x, y * (1 - x), y * x, 0, 0], dtype=torch.float32)
            distances.append(1 - seen[row, column] @ (taught / taught.norm()))
    loss = term(features, TeacherTargets(patches=patches), batch, 0)
    torch.testing.assert_close(loss, 2 * torch.stack(distances).mean())


def test_what_the_map_shows_at_padding_changes_nothing():
    term, batch, targets = PatchCosineTerm(make_space()), make_batch(1), TeacherTargets(patches=one_hot_patches([[0, 1]] * 6))
    losses = [term(make_map(batch, [[padding] * 4, *ROWS[1:]]), targets, batch, 0) for padding in (5, 6)]
    assert losses[0].item() == losses[1].item()


def test_a_student_that_shows_the_teachers_patches_costs_nothing():
    term, batch = PatchCosineTerm(make_space()), make_batch(1)
    # One patch of the teacher for all places, and a map that becomes it.
    features = make_map(batch, [[5] * 4, *[[2] * 4] * 3])
    patches = term.projector(features.visual[:, :, 1:2, :1].movedim(1, -1)).movedim(-1, 1).detach()
    assert term(features, TeacherTargets(patches=patches), batch, 0).item() == pytest.approx(0, abs=1e-6)


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
