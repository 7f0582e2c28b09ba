import pytest
import torch

from mmduet.structures import TargetIdentity
from mmduet.structures.target_identity import image_number, stable_number


def test_the_same_image_and_overlapping_boxes_are_one_target_and_a_crop_cannot_be_told():
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.2], [0.5, 0.5, 0.2, 0.25], [0.1, 0.1, 0.1, 0.1], [0.5, 0.5, 0.2, 0.2]])
    identity = TargetIdentity(image=torch.tensor([1, 1, 1, 2]), boxes=boxes, whole=torch.ones(4, dtype=torch.bool),
                              view=torch.zeros(4, dtype=torch.int64))
    same = [[True, True, False, False], [True, True, False, False], [False, False, True, False], [False, False, False, True]]
    assert identity.same(0.5).tolist() == same
    assert identity.same(0.9).tolist() == torch.eye(4).bool().tolist()
    cropped = TargetIdentity(image=identity.image, boxes=boxes, whole=torch.tensor([True, True, False, True]),
                             view=identity.view)
    assert cropped.same(0.5)[0].tolist() == [True, True, True, False]


def test_targets_in_one_crop_of_an_image_are_compared():
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.2], [0.5, 0.5, 0.2, 0.25], [0.1, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1]])
    identity = TargetIdentity(image=torch.tensor([1, 1, 1, 1]), boxes=boxes, whole=torch.zeros(4, dtype=torch.bool),
                              view=torch.tensor([7, 7, 7, 9]))
    assert identity.same(0.5).tolist() == [
        [True, True, False, True], [True, True, False, True], [False, False, True, True], [True, True, True, True]]


def test_a_number_is_that_of_the_file_and_of_every_process(tmp_path):
    assert image_number('/images/COCO_1.jpg') == stable_number(b'/images/COCO_1.jpg') == 6778691489760001712
    (tmp_path / 'link').symlink_to('/images')
    assert image_number(f'{tmp_path}/link/COCO_1.jpg') == 6778691489760001712
    assert min(map(stable_number, (b'', b'a', b'b'))) >= -2 ** 63 and stable_number(b'a') != stable_number(b'b')


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r'boxes must be \(B, 4\), got \(2, 3\)'):
        TargetIdentity(image=torch.zeros(2, dtype=torch.long), boxes=torch.zeros(2, 3), whole=torch.ones(2, dtype=torch.bool),
                       view=torch.zeros(2, dtype=torch.long))
