import pytest
import torch
import torch.nn.functional as F

from mmduet.models.teachers.crops import crop_and_resize, enlarge_within
from mmduet.models.teachers.region_views import BlurredView, CropView, DimmedView, MarkedView, PatchView, Resize
from mmduet.registry import TASK_UTILS

# Two images of 40 x 20 and 20 x 40 pixels on canvases of 40; boxes of 20 x 10 and 10 x 10 pixels in them.
CONTENT = torch.tensor([[0, 10, 40, 30], [10, 0, 30, 40]])
BOXES = torch.tensor([[20.0, 20.0, 20.0, 10.0], [15.0, 30.0, 10.0, 10.0]]) / 40
RESIZE = Resize(size=(20, 40), interpolation='bilinear')
VIEWS = [CropView, DimmedView, BlurredView, MarkedView]


def draw_images():
    return torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))


def show(view, images=None):
    return view(draw_images() if images is None else images, BOXES, CONTENT, RESIZE)


def inside():
    """Which pixels of a whole image at 20 x 40 lie in the boxes: (10, 5, 30, 15) and (0, 12.5, 20, 17.5)."""
    found = torch.zeros(2, 1, 20, 40)
    found[0, :, 5:15, 10:30] = 1
    found[1, :, 13:17, :20] = 1
    found[1, :, [12, 17], :20] = 0.5
    return found


def test_a_crop_is_the_enlarged_box_cut_out():
    corners = enlarge_within(BOXES, CONTENT, 40, 1.3)
    assert torch.equal(show(CropView(scale=1.3)), crop_and_resize(draw_images(), corners, (20, 40), 'bilinear'))


def test_the_surroundings_are_dimmed_and_the_region_is_as_it_is():
    whole, covered = RESIZE(draw_images(), CONTENT.float()), inside()
    torch.testing.assert_close(show(DimmedView(scale=1.0, brightness=0.25)), whole * (0.25 + 0.75 * covered))
    torch.testing.assert_close(show(DimmedView(scale=1.0, brightness=1.0)), whole)


def test_the_surroundings_are_blurred_and_the_region_is_as_it_is():
    whole, covered = RESIZE(draw_images(), CONTENT.float()), inside()
    seen = show(BlurredView(scale=1.0, side=1))
    # One pixel of blur is the mean of the image.
    first = draw_images()[0, :, 10:30].mean(dim=(1, 2))
    torch.testing.assert_close(seen[0, :, 0, 0], first, atol=2e-2, rtol=0)
    torch.testing.assert_close(seen[0][covered[0].expand(3, -1, -1) == 1], whole[0][covered[0].expand(3, -1, -1) == 1])
    assert seen[0, :, :5].flatten(1).std(dim=1).max() < 1e-6


def test_an_ellipse_is_drawn_around_the_region():
    resize = Resize(size=(100, 100), interpolation='bilinear')
    box = torch.tensor([[0.5, 0.4, 0.4, 0.2]])
    seen = MarkedView(scale=1.0, thickness=0.04, colour=(0.0, 1.0, 0.5))(
        torch.zeros(1, 3, 100, 100), box, torch.tensor([[0, 0, 100, 100]]), resize)
    y, x = torch.meshgrid(torch.arange(100) + 0.5, torch.arange(100) + 0.5, indexing='ij')
    angle = torch.linspace(0, 2 * torch.pi, 5000)
    ellipse = torch.stack([50 + 20 * angle.cos(), 40 + 10 * angle.sin()], dim=1)
    distance = torch.cdist(torch.stack([x, y], dim=2).flatten(0, 1), ellipse).min(dim=1).values.view(100, 100)
    green = seen[0, 1]
    assert green[distance < 1].min() == 1 and green[distance > 3.5].max() == 0
    torch.testing.assert_close(green, (2.5 - distance).clamp(0, 1), atol=0.2, rtol=0)
    assert torch.equal(seen[0, 2], green / 2) and seen[0, 0].max() == 0


@pytest.mark.parametrize('view', VIEWS)
def test_padding_changes_nothing_and_every_image_has_its_own_box(view):
    images = draw_images()
    white = torch.ones_like(images)
    white[0, :, 10:30], white[1, :, :, 10:30] = images[0, :, 10:30], images[1, :, :, 10:30]
    both = show(view())
    assert torch.equal(both, show(view(), white)) and both.shape == (2, 3, 20, 40) and 0 <= both.min() <= both.max() <= 1
    alone = view()(images[1:], BOXES[1:], CONTENT[1:], RESIZE)
    torch.testing.assert_close(alone[0], both[1])


@pytest.mark.parametrize('view', VIEWS)
def test_a_box_without_area_is_shown_too(view):
    seen = view()(draw_images()[:1], torch.tensor([[1.0, 0.5, 0.0, 0.0]]), CONTENT[:1], RESIZE)
    assert torch.isfinite(seen).all()


@pytest.mark.parametrize('view', [DimmedView, BlurredView, MarkedView])
def test_what_keeps_the_place_tells_left_from_right_and_a_crop_does_not(view):
    image = torch.full((1, 3, 40, 40), 0.5)
    content, left, right = torch.tensor([[0, 0, 40, 40]]), *(torch.tensor([[x, 0.5, 0.2, 0.2]]) for x in (0.25, 0.75))
    image[:, :, 16:24, [6, 13, 26, 33]] = 1.0
    first, second = (view()(image, box, content, RESIZE) for box in (left, right))
    assert (first - second).abs().max() > 0.1
    torch.testing.assert_close(first, second.flip(3), atol=1e-5, rtol=0)
    crops = [CropView(scale=1.0)(image, box, content, RESIZE) for box in (left, right)]
    torch.testing.assert_close(crops[0], crops[1], atol=1e-5, rtol=0)


def test_a_view_is_built_from_a_config():
    assert TASK_UTILS.build(dict(type='mmduet.MarkedView', thickness=0.1)) == MarkedView(thickness=0.1)
    with pytest.raises(ValueError, match='scale must be positive, got 0'):
        TASK_UTILS.build(dict(type='mmduet.CropView', scale=0))


def test_an_image_is_resized_as_pytorch_does():
    whole = RESIZE(draw_images(), CONTENT.float())
    expected = F.interpolate(draw_images()[:1, :, 10:30], (20, 40), mode='bilinear', antialias=True)
    torch.testing.assert_close(whole[0], expected[0])


def test_patches_are_weighed_by_how_much_of_each_the_region_covers():
    patches = torch.zeros(2, 3, 2, 4)
    # The first box covers columns 10 to 30 and rows 15 to 25 of content 40 x 20 at (0, 10): patches 1 to 3 of 10 x 10 pixels
    # across, halves of both rows.
    patches[0, 0, :, 1], patches[0, 1, 0, 2], patches[0, 2, :, 3] = 1.0, 1.0, 7.0
    # The second covers (10, 25) to (20, 35) of content 20 x 40 at (10, 0), patches of 5 x 20 pixels: two of the second row.
    patches[1, 1, 1, 0], patches[1, 0, 1, 1], patches[1, 2, 1, 2] = 3.0, 4.0, 9.0
    pooled = PatchView().pool(patches, BOXES, CONTENT, 40)
    torch.testing.assert_close(pooled, torch.tensor([[2.0, 1.0, 0.0], [4.0, 3.0, 0.0]]) / torch.tensor([[5.0**0.5], [5.0]]))
    # Twice as large, the first reaches the ends of its content, the second one patch further to the right and beyond the left.
    wider = PatchView(scale=2.0).pool(patches, BOXES, CONTENT, 40)
    torch.testing.assert_close(wider[0], F.normalize(torch.tensor([2.0, 1.0, 14.0]), dim=0))
    assert wider[1, 2] > 0


@pytest.mark.parametrize('scale', [0, -1.0])
def test_a_scale_of_patches_is_positive(scale):
    with pytest.raises(ValueError, match=f'^scale must be positive, got {scale}$'):
        TASK_UTILS.build(dict(type='mmduet.PatchView', scale=scale))
