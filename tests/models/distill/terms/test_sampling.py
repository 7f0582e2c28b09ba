import pytest
import torch
from mmengine.structures import InstanceData

from mmduet.models import GroundingDataPreprocessor
from mmduet.models.distill.terms.sampling import pool_similarity, what_to_sample
from mmduet.models.task_modules import LocationSampler, RandomSampler, SLASampler
from mmduet.structures import TeacherTargets
from tests.distill_batch import CANVAS, make_batch, make_targets
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
