import pytest

from mmduet.datasets.readers import find_dataset
from mmduet.datasets.readers.flickr30k import parse_phrases, read_boxes
from mmduet.io.errors import DataError
from tests.shared_data import shared
from tests.tiny_sources import write_entities


def test_several_boxes_are_merged_and_coordinates_begin_at_zero(tmp_path):
    data = find_dataset('flickr30k').read(write_entities(tmp_path))
    assert [(a.expression_id, a.expression, a.box, a.boxes, a.category) for a in data.annotations] == [
        ('5_0_0', 'Two men', (1, 2, 39, 29), None, 'people'), ('5_1_0', 'They', (1, 2, 39, 29), None, 'people'),
        ('5_1_1', 'a red hat', (4, 5, 14, 25), None, 'clothing/other'), ('6_0_0', 'A dog', (0, 0, 39, 29), None, 'animals')]
    assert data.protocol == 'merged'
    assert data.about == {'phrases_without_box': 1, 'phrases_not_visual': 1}


def test_any_keeps_all_boxes_and_trains_on_the_largest(tmp_path):
    data = find_dataset('flickr30k').read(write_entities(tmp_path), protocol='any')
    assert data.annotations[0].boxes == ((1, 2, 10, 20), (20, 4, 39, 29))
    assert data.annotations[0].box == (20, 4, 39, 29)
    assert data.annotations[2].boxes is None
    assert data.protocol == 'any'


def test_an_image_of_a_list_without_its_files_is_named(tmp_path):
    write_entities(tmp_path)
    (tmp_path / 'val.txt').write_text('6\n7\n')
    with pytest.raises(DataError, match=r'val\.txt:2: image 7 has no Sentences'):
        find_dataset('flickr30k').read(tmp_path)


@pytest.mark.parametrize('text', [
    '<annotation>', '<!DOCTYPE a [<!ENTITY x "y">]><annotation/>',
    '<a><object><name>1</name><bndbox><xmin>9</xmin><ymin>1</ymin><xmax>2</xmax><ymax>4</ymax></bndbox></object></a>',
    '<a><object><name>1</name><bndbox><xmin>9</xmin></bndbox></object></a>',
    '<a><size><width>wide</width></size></a>'])
def test_a_broken_or_dangerous_annotation_is_named(tmp_path, text):
    (tmp_path / '5.xml').write_text(text)
    with pytest.raises(DataError, match=r'5\.xml'):
        read_boxes(tmp_path / '5.xml')


def test_all_marks_of_real_sentences_are_understood():
    texts = [path.read_text() for path in sorted(shared('data/flickr30k_entities').glob('Sentences/*.txt'))]
    assert sum(text.count('[/EN#') for text in texts) == sum(len(parse_phrases(text)) for text in texts) > 80
    assert parse_phrases(shared('data/flickr30k_entities/Sentences/36979.txt').read_text())[0][2].strip()
