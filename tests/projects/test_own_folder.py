"""A teacher, a sampler, a term and a student are files in a user's own folder, named by the config beside them."""
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.run_tool import run_tool
from tests.shared_data import ROOT
from tests.tiny_grounder import make_data_root

PARTS = '''
"""A user's own parts."""
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from mmduet.models import TransVG
from mmduet.models.base_teacher import BaseTeacher
from mmduet.models.distill import DistillTerm, Projector
from mmduet.models.task_modules import RegionSampler
from mmduet.registry import MODELS, TASK_UTILS
from mmduet.structures import TeacherTargets


class BoxTeacher(BaseTeacher):
    """Gives the target's box as an embedding."""

    gives = frozenset({'region'})
    embed_dims = 4

    def forward(self, batch, required):
        return TeacherTargets(region=F.normalize(batch.target_boxes, dim=1))


@TASK_UTILS.register_module()
@dataclass(kw_only=True)
class NearSampler(RegionSampler):
    """Prefers what overlaps the target."""

    reads_semantics = False

    def scores(self, location, semantics, annotated):
        return location, location


@MODELS.register_module()
class QueryTerm(DistillTerm):
    """The query becomes the teacher's embedding of the target."""

    required_targets = frozenset({'region'})

    def __init__(self, space, weight=1.0):
        super().__init__(space, weight)
        self.projector = Projector(space.channels, space.embed_dims)

    def forward(self, features, targets, batch, step):
        return self.weight * (1 - F.cosine_similarity(self.projector(features.query), targets.region)).mean()


class CentreGrounder(TransVG):
    """TransVG whose boxes start in the middle."""

    def extract(self, batch):
        assert isinstance(batch.pixels, torch.Tensor) and batch.tokens
        return super().extract(batch)
'''
CONFIG = '''
"""The tiny TransVG with a student, a teacher, a sampler and a term of this folder."""
from mmengine.config import read_base

from mmduet.models.distill import RankedContrastTerm
from parts_of_a_user import BoxTeacher, CentreGrounder, NearSampler, QueryTerm

with read_base():
    from mmduet.configs.duet.transvg_duet_refshapes import *

model['student'].update(type=CentreGrounder)
model['teacher'] = dict(type=BoxTeacher)
model['head']['terms'].update(text=None, image=None, relation=None, query=dict(type=QueryTerm, weight=0.5))
model['head']['terms']['contrast'] = dict(type=RankedContrastTerm, sampler=dict(type=NearSampler))
train_dataloader.update(batch_size=4, num_workers=0, persistent_workers=False)
train_dataloader['dataset'].update(first=None)
default_hooks['logger'].update(interval=1)
val_dataloader = val_cfg = val_evaluator = None
'''


@pytest.fixture
def folder():
    (ROOT / 'work_dirs').mkdir(exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=ROOT / 'work_dirs', prefix='own_'))
    (made / 'parts_of_a_user.py').write_text(PARTS)
    (made / 'own_config.py').write_text(CONFIG)
    yield made
    shutil.rmtree(made)


def train(folder, tmp_path, *flags):
    return run_tool('train', folder / 'own_config.py', '--data-root', make_data_root(tmp_path / 'root'), '--work-dir',
                    tmp_path / 'work', *flags)


def test_parts_of_a_users_own_train_without_an_edit_of_the_package(folder, tmp_path):
    run = train(folder, tmp_path, '--max-iters', 2)
    log = run.stdout + run.stderr
    assert run.returncode == 0, log[-3000:]
    assert all(f'{name}: ' in log for name in ('loss_bbox', 'loss_giou', 'loss_region', 'loss_query', 'loss_contrast'))
    assert 'loss_text: ' not in log


def test_what_a_teacher_of_a_users_own_cannot_give_is_said_at_the_start(folder, tmp_path):
    with (folder / 'own_config.py').open('a') as file:
        file.write("model['head']['terms'].update(text=dict(type='mmduet.FeatureTerm', student='text', teacher='text'))\n")
    run = train(folder, tmp_path)
    assert run.returncode == 1
    assert "error: the term 'text' (FeatureTerm) requires text, which BoxTeacher does not give: it gives region" in run.stderr
