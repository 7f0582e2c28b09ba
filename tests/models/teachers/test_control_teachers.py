from dataclasses import fields

import pytest
import torch

from mmduet.models.base_grounder import stack_targets
from mmduet.models.teachers import CLIPTeacher, ShuffledTeacher, UntrainedTeacher
from mmduet.structures import TeacherTargets
from tests.distill_batch import make_samples
from tests.tiny_clip_config import write_clip_config

NEEDS = frozenset({'text', 'region', 'image', 'patches'})


@pytest.fixture(scope='module')
def clip_config(tmp_path_factory):
    path = write_clip_config(tmp_path_factory.mktemp('clip'))
    return dict(type=CLIPTeacher, model='tiny_vit', model_config=path, pretrained=None)


def ask(teacher, batch):
    samples = make_samples(batch)
    images = torch.rand(batch, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return teacher(images, samples, stack_targets(samples, 'cpu'), NEEDS)


def test_every_sample_gets_all_that_was_said_about_the_one_before(clip_config):
    teacher = ShuffledTeacher(clip_config)
    said, shuffled = ask(teacher.teacher, 3), ask(teacher, 3)
    for name in NEEDS:
        assert torch.equal(getattr(shuffled, name), getattr(said, name)[[2, 0, 1]])
        assert not torch.equal(getattr(shuffled, name), getattr(said, name))
    assert teacher.embed_dims == 16


def test_what_was_not_asked_for_stays_away(clip_config):
    teacher, samples = ShuffledTeacher(clip_config), make_samples(2)
    targets = teacher(torch.rand(2, 3, 64, 64), samples, stack_targets(samples, 'cpu'), {'text'})
    assert targets.text is not None
    assert targets.region is None and targets.patches is None


def test_a_batch_of_one_has_nobody_to_exchange_with(clip_config):
    with pytest.raises(ValueError, match='batches of two samples or more'):
        ask(ShuffledTeacher(clip_config), 1)


def test_an_untrained_teacher_is_the_same_in_every_run_and_disturbs_none(clip_config):
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        expected = torch.rand(3, generator=torch.Generator().manual_seed(seed))
        states.append(UntrainedTeacher(clip_config).state_dict())
        assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    other = UntrainedTeacher(clip_config, seed=1).state_dict()
    assert not torch.equal(states[0]['teacher.clip.text_projection'], other['teacher.clip.text_projection'])


def test_an_untrained_teacher_reads_no_weights(clip_config):
    teacher = UntrainedTeacher({**clip_config, 'pretrained': 'there/is/no.safetensors'})
    assert ask(teacher, 2).text.shape == (2, 16)
    nested = UntrainedTeacher(dict(type=ShuffledTeacher, teacher={**clip_config, 'pretrained': 'no.safetensors'}))
    assert nested.embed_dims == 16


class SpokenTargets(torch.nn.Module):
    """Says what it was given."""

    def __init__(self, targets):
        super().__init__()
        self.targets = targets

    def forward(self, images, samples, boxes, needs):
        return self.targets


def test_whatever_a_teacher_can_say_moves_together():
    generator = torch.Generator().manual_seed(0)
    said = {'text': torch.rand(3, 4, generator=generator), 'similarity': torch.rand(3, 2, 2, generator=generator),
            'distractors': torch.rand(3, 5, 4, generator=generator)}
    assert set(said) <= {field.name for field in fields(TeacherTargets)}
    shuffled = ShuffledTeacher(SpokenTargets(TeacherTargets(**said)))(None, [0, 1, 2], None, frozenset(said))
    for name, value in said.items():
        assert torch.equal(getattr(shuffled, name), value[[2, 0, 1]])
