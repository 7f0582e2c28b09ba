import pytest
import torch

from mmduet.structures import Canvas, draw_canvases, from_content, padding_mask, stack_contents, to_content

# An image of 100 x 50 px at half size on a canvas of 64 px.
CANVAS = Canvas(size=64, left=4, top=20, width=50, height=25, scale_x=0.5, scale_y=0.5)


def test_a_pixel_box_lands_where_it_was_pasted_and_comes_back():
    boxes = CANVAS.to_canvas(torch.tensor([[0.0, 0.0, 100.0, 50.0], [20.0, 10.0, 40.0, 30.0]]))
    expected = torch.tensor([[29.0, 32.5, 50.0, 25.0], [19.0, 30.0, 10.0, 10.0]]) / 64
    torch.testing.assert_close(boxes, expected)
    torch.testing.assert_close(CANVAS.to_image(boxes), torch.tensor([[0.0, 0.0, 100.0, 50.0], [20.0, 10.0, 40.0, 30.0]]))


@pytest.mark.parametrize('change', [dict(width=0), dict(scale_x=0.0), dict(left=-1), dict(left=15), dict(height=45)])
def test_content_off_the_canvas_is_refused(change):
    fields = dict(size=64, left=4, top=20, width=50, height=25, scale_x=0.5, scale_y=0.5)
    with pytest.raises(ValueError, match='content'):
        Canvas(**{**fields, **change})


def test_images_are_drawn_where_they_lie():
    drawn = draw_canvases([torch.full((3, 25, 50), 7, dtype=torch.uint8)], [CANVAS], ['a.jpg'])
    assert drawn.shape == (1, 3, 64, 64) and drawn.dtype == torch.uint8
    assert torch.equal(drawn[0, 0] == 7, ~padding_mask(stack_contents([CANVAS]), 64)[0]) and drawn.float().mean() < 7


def test_an_image_that_does_not_fit_its_canvas_is_named():
    good = torch.zeros(3, 25, 50, dtype=torch.uint8)
    larger = Canvas(size=128, left=4, top=20, width=50, height=25, scale_x=0.5, scale_y=0.5)
    with pytest.raises(ValueError, match=r'b\.jpg: image \(3, 10, 50\) does not fit'):
        draw_canvases([good, good[:, :10]], [CANVAS, CANVAS], ['a.jpg', 'b.jpg'])
    with pytest.raises(ValueError, match=r'b\.jpg: .* on a canvas of 64 px'):
        draw_canvases([good, good], [CANVAS, larger], ['a.jpg', 'b.jpg'])


def test_contents_are_corners_in_pixels():
    assert stack_contents([CANVAS]).tolist() == [[4, 20, 54, 45]]


def test_padding_is_true_outside_the_content():
    windows = torch.tensor([[1, 0, 3, 2]])
    assert padding_mask(windows, 4)[0].int().tolist() == [[1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    # Cells of two pixels take the value of their first pixel.
    assert padding_mask(windows, 4, 2)[0].int().tolist() == [[1, 0], [1, 1]]


def test_content_frame_and_canvas_frame_are_inverse():
    windows = torch.tensor([[16, 0, 48, 64]])
    boxes = torch.tensor([[[0.5, 0.5, 0.25, 0.5], [0.25, 0.0, 0.5, 1.0]]])
    content = to_content(boxes, windows, 64)
    torch.testing.assert_close(content, torch.tensor([[[0.5, 0.5, 0.5, 0.5], [0.0, 0.0, 1.0, 1.0]]]))
    torch.testing.assert_close(from_content(content, windows, 64), boxes)


@pytest.mark.parametrize('content', [(31, 0, 33, 64), (1, 0, 2, 64), (0, 63, 64, 64), (62, 62, 63, 63), (29, 29, 32, 32)])
def test_an_image_of_few_pixels_keeps_a_position_of_the_map_and_no_other_changes(content):
    whole = torch.tensor([[0, 16, 64, 48], content])
    padding = padding_mask(whole, 64, 4)
    assert padding[0].tolist() == [[True] * 4, [False] * 4, [False] * 4, [True] * 4]
    left, top, right, bottom = content
    shown = (~padding[1]).nonzero().tolist()
    assert shown
    # Each position is 16 px: what is shown is where the content lies.
    assert all(16 * x < right and 16 * (x + 1) > left and 16 * y < bottom and 16 * (y + 1) > top for y, x in shown)
