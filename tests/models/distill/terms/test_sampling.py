from dataclasses import dataclass

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData

from mmduet.models import GroundingDataPreprocessor
from mmduet.models.distill import RankedContrastTerm, RegionContrastTerm
from mmduet.models.distill.terms.sampling import pool_similarity, what_to_sample
from mmduet.models.task_modules import LocationSampler, RandomSampler, RegionSampler, SLASampler
from mmduet.structures import TeacherTargets
from tests.distill_batch import CANVAS, make_batch, make_space, make_targets
from tests.tiny_transvg import make_sample


def test_a_sampler_takes_targets_names_and_objects_of_the_batch_and_the_teachers_similarity():
    batch, targets, own = make_batch(3, others=True), make_targets(3), torch.full((3, 4), 0.5)
    given = what_to_sample(SLASampler(), targets, batch, 7, own)
    assert (given['step'], given['size'], given['keys']) == (7, 64, batch.keys) and given['predicted'] is own
    assert torch.equal(given['boxes'], batch.boxes[:, 0]) and torch.equal(given['content'], batch.content)
    assert (given['others'][..., 2:] > 0).all(dim=-1).tolist() == batch.has_other.tolist()
    boxes = torch.tensor([[[0.5, 0.5, 0.4, 0.4]]] * 3)
    torch.testing.assert_close(given['semantics'](boxes), pool_similarity(targets.similarity, boxes))
    assert what_to_sample(LocationSampler(), TeacherTargets(), batch, 0, None)['semantics'] is None


def test_an_expression_draws_alone_what_it_draws_beside_others_about_its_image():
    image, boxes = torch.zeros(3, CANVAS.height, CANVAS.width, dtype=torch.uint8), [
        (float(x), float(y), x + 6.0, y + 6.0) for x in (1, 9, 17, 25, 33) for y in (1, 9, 17)]

    def drawn(*targets):
        samples = [make_sample(f'thing {k}', CANVAS, boxes[k], key=str(k)) for k in targets]
        for k, sample in zip(targets, samples, strict=True):
            sample.distractors = InstanceData(bboxes=torch.tensor(boxes[:k] + boxes[k + 1:]))
        data = {'inputs': [image], 'image_index': [0] * len(targets), 'data_samples': samples}
        batch = GroundingDataPreprocessor()(data, True)['batch']
        regions = RandomSampler().sample(**what_to_sample(RandomSampler(), TeacherTargets(), batch, 3, None))
        return [sorted(row.tolist()) for row in regions.negatives]

    together = drawn(0, 4, 9)
    assert together == [*drawn(0), *drawn(4), *drawn(9)]
    assert drawn(9, 4, 0) == together[::-1]


def test_similarity_in_a_box_is_mapped_to_zero_to_one():
    similarity, box = torch.tensor([[-1.0, -1.0, 0.0, 1.0]]).expand(1, 4, 4), torch.tensor([[[0.125, 0.5, 0.01, 0.1],
                                                                                        [0.875, 0.5, 0.01, 0.1]]])
    assert pool_similarity(similarity, box)[0].tolist() == pytest.approx([0.0, 1.0], abs=0.01)


@dataclass(kw_only=True)
class OwnSampler(LocationSampler):
    """A sampler of a user with a parameter."""

    share: float = 0.5

    def scores(self, location, semantics, annotated):
        return location, self.share * location


class NoBase:
    """Of no base."""


class NoInit(LocationSampler):
    """Whose ``__init__`` hides the base's."""

    def __init__(self):
        self.share = 0.5


@dataclass(kw_only=True)
class NoPostInit(LocationSampler):
    """Whose ``__post_init__`` hides the base's."""

    def __post_init__(self):
        pass


@dataclass(kw_only=True)
class Silent(RegionSampler):
    """That does not say what it reads."""

    def scores(self, location, semantics, annotated):
        return location, location


@pytest.mark.parametrize(('kind', 'sentence'), [
    (NoBase, r'^the sampler NoBase must extend RegionSampler, of mmduet\.models\.task_modules$'),
    (Silent, r'^Silent must say reads_semantics: ClassVar\[bool\] = True, or False$'),
    (NoInit, r'^NoInit must be a @dataclass\(kw_only=True\) whose parameters are its fields; a __post_init__ of its own calls'),
    (NoPostInit, r'^NoPostInit must be a @dataclass.* calls super\(\)\.__post_init__\(\)$')])
@pytest.mark.parametrize('term', [RegionContrastTerm, RankedContrastTerm])
def test_a_sampler_that_is_not_built_as_one_is_refused_with_the_term(term, kind, sentence):
    with pytest.raises(ValueError, match=sentence):
        term(make_space(), sampler=dict(type=kind))


@pytest.mark.parametrize(('term', 'sampler', 'idle'), [
    (RankedContrastTerm, dict(type=OwnSampler, share=0.3), 'OwnSampler and draws none: its scores()'),
    (RankedContrastTerm, dict(negatives=12, temperature=1.0), 'SLASampler and draws none: its negatives, temperature'),
    (RankedContrastTerm, dict(type=LocationSampler, seed=3, candidates=dict(beside=4)), None),
    (RegionContrastTerm, dict(type=OwnSampler, negatives=12), None)])
def test_what_of_a_sampler_changes_nothing_is_warned_of(term, sampler, idle, caplog):
    MMLogger.get_instance('test_idle').addHandler(caplog.handler)
    term(make_space(), sampler=sampler)
    assert [said for record in caplog.records if 'draws none' in (said := record.getMessage())] == (
        [] if idle is None else [f'RankedContrastTerm takes all candidates of {idle} change nothing. RegionContrastTerm draws'])
