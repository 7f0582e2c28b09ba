from mmduet.datasets.readers import SourceImage


def test_images_do_not_share_their_lists_of_boxes():
    first, second = (SourceImage(size=(4, 3), file_names=('a.jpg', )) for _ in range(2))
    first.boxes.append((0.0, 0.0, 1.0, 1.0))
    assert second.boxes == []
