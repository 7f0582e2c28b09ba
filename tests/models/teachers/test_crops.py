import pytest
import torch
import torch.nn.functional as F

from mmduet.models.teachers.crops import crop_and_resize, enlarge_within

WINDOWS = torch.tensor([[4, 20, 54, 45]])


def draw_images(channels=3, size=64, seed=0):
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize('mode', ['bicubic', 'bilinear'])
@pytest.mark.parametrize('corners', [(4, 20, 54, 45), (0, 0, 64, 64), (10, 30, 15, 36)])
def test_on_whole_pixels_it_is_the_antialiased_resize_of_the_crop(mode, corners):
    x1, y1, x2, y2 = corners
    images = draw_images()
    expected = F.interpolate(images[:, :, y1:y2, x1:x2], (16, 24), mode=mode, antialias=True).clamp(0, 1)
    boxes = torch.tensor([corners] * 2, dtype=torch.float32)
    torch.testing.assert_close(crop_and_resize(images, boxes, (16, 24), mode), expected, atol=1e-5, rtol=0)


def test_every_image_has_its_own_box_and_a_ramp_is_read_between_pixels():
    ramp = torch.arange(64.0).div(64).expand(2, 1, 64, 64)
    boxes = torch.tensor([[8.0, 8.0, 16.0, 16.0], [20.5, 4.0, 28.5, 12.0]])
    columns = crop_and_resize(ramp, boxes, (8, 8), 'bilinear')[:, 0, 0] * 64
    assert columns[0].tolist() == pytest.approx([8, 9, 10, 11, 12, 13, 14, 15])
    assert columns[1].tolist() == pytest.approx([20.5, 21.5, 22.5, 23.5, 24.5, 25.5, 26.5, 27.5])


def test_what_is_outside_the_box_changes_nothing():
    images, boxes = draw_images(), torch.tensor([[4.0, 20.0, 54.0, 45.0]] * 2)
    other = torch.ones_like(images)
    other[:, :, 20:45, 4:54] = images[:, :, 20:45, 4:54]
    assert torch.equal(crop_and_resize(images, boxes, (16, 16)), crop_and_resize(other, boxes, (16, 16)))


def test_a_box_grows_around_its_centre_and_stops_at_the_image():
    boxes = torch.tensor([[29.0, 32.5, 20.0, 10.0]]) / 64
    torch.testing.assert_close(enlarge_within(boxes, WINDOWS, 64, 1.2), torch.tensor([[17.0, 26.5, 41.0, 38.5]]))
    boxes = torch.tensor([[10.0, 25.0, 20.0, 10.0]]) / 64
    torch.testing.assert_close(enlarge_within(boxes, WINDOWS, 64, 2.0), torch.tensor([[4.0, 20.0, 30.0, 35.0]]))


def test_a_box_without_area_becomes_a_pixel():
    corners = enlarge_within(torch.tensor([[54.0, 30.0, 0.0, 0.0]]) / 64, WINDOWS, 64, 1.2)
    assert corners.tolist() == [[53.0, 30.0, 54.0, 31.0]]
    assert torch.isfinite(crop_and_resize(draw_images()[:1], corners, (8, 8))).all()


def test_an_unknown_interpolation_is_refused():
    with pytest.raises(ValueError, match='lanczos'):
        crop_and_resize(draw_images(), torch.tensor([[0.0, 0.0, 8.0, 8.0]] * 2), (4, 4), 'lanczos')
