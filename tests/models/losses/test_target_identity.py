import pytest
import torch

from mmduet.models.losses.target_identity import TargetIdentity, identify_targets
from mmduet.structures import Canvas
from tests.tiny_transvg import make_sample

# A photo of 100 x 50 px.
WHOLE = Canvas(size=64, left=0, top=4, width=50, height=25, scale_x=0.5, scale_y=0.5)
LARGER = Canvas(size=64, left=7, top=9, width=55, height=28, scale_x=0.55, scale_y=0.56)
BOX, MIRRORED, OTHER = (10.0, 10.0, 30.0, 40.0), (70.0, 10.0, 90.0, 40.0), (60.0, 5.0, 90.0, 25.0)


def flipped(sample):
    sample.set_metainfo({'flip': True})
    return sample


def same(*samples):
    return identify_targets(samples, 'cpu').same(0.5)


def test_one_target_is_recognised_in_another_scale_and_mirrored():
    pairs = same(make_sample('a', WHOLE, BOX), make_sample('b', LARGER, BOX), flipped(make_sample('c', LARGER, MIRRORED)),
                 make_sample('d', WHOLE, OTHER))
    assert pairs.tolist() == [[True, True, True, False], [True, True, True, False], [True, True, True, False],
                              [False, False, False, True]]


def test_the_same_box_in_another_photo_or_data_set_is_another_target():
    other = make_sample('b', WHOLE, BOX)
    other.set_metainfo({'dataset_name': 'referit'})
    pairs = same(make_sample('a', WHOLE, BOX), make_sample('b', WHOLE, BOX, key='1'), other)
    assert pairs.tolist() == torch.eye(3).bool().tolist()


def test_a_crop_may_show_the_same_target_so_it_counts_as_the_same():
    crop = make_sample('b', Canvas(size=64, left=0, top=0, width=20, height=20, scale_x=0.5, scale_y=0.5), OTHER)
    crop.set_metainfo({'ori_shape': (50, 100)})
    assert same(make_sample('a', WHOLE, BOX), crop, make_sample('c', WHOLE, OTHER)).tolist() == [
        [True, True, False], [True, True, True], [False, True, True]]


def test_boxes_are_in_the_frame_of_the_photo():
    identity = identify_targets([make_sample('a', WHOLE, BOX), flipped(make_sample('b', WHOLE, MIRRORED))], 'cpu')
    expected = torch.tensor([0.2, 0.5, 0.2, 0.6])
    assert torch.allclose(identity.boxes, expected.expand(2, 4)) and identity.whole.all()


def test_numbers_of_photos_do_not_depend_on_the_process():
    assert identify_targets([make_sample('a', WHOLE, BOX, key='COCO_1')], 'cpu').image.tolist() == [-8711246309392339512]


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r'\(2, 3\)'):
        TargetIdentity(image=torch.zeros(2, dtype=torch.long), boxes=torch.zeros(2, 3), whole=torch.ones(2, dtype=torch.bool))
