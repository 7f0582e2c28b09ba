import math

import pytest

from mmduet.datasets.ids import get_id, plain_id
from mmduet.io.errors import DataError


@pytest.mark.parametrize(('written', 'meant'), [
    (7, 7), ('7', 7), (7.0, 7), ('7.0', 7), (' 7 ', 7), ('-3', -3), ('0', 0), ('7.000000', 7),
    ('007', '007'), ('7.5', '7.5'), ('', ''), ('a', 'a'), ('7e3', '7e3'), ('9' * 19, '9' * 19), ('7.0000000', '7.0000000')])
def test_an_id_is_one_value_however_it_was_written(written, meant):
    found = plain_id(written)
    assert found == meant and type(found) is type(meant)


def test_what_is_no_id_stays_as_it_is():
    assert plain_id(7.5) == 7.5 and plain_id(None) is None and plain_id(1e300) == 1e300 and math.isnan(plain_id(math.nan))


def test_the_id_in_a_field_is_read():
    assert get_id({'image_id': '12'}, 'image_id', 'a.json') == 12 and get_id({'id': 'b_7'}, 'id', 'a.json') == 'b_7'


@pytest.mark.parametrize('record', [{}, None, [], 'image_id'])
def test_a_field_that_is_missing_is_named(record):
    with pytest.raises(DataError, match=r"^a.json:3: field 'image_id' is missing$"):
        get_id(record, 'image_id', 'a.json:3')


@pytest.mark.parametrize('value', [None, True, 1.5, [1], {'a': 1}, math.inf])
def test_a_field_that_is_no_id_is_named_with_its_value(value):
    with pytest.raises(DataError, match=r"^a.json:3: field 'image_id' must be a whole number or text, got "):
        get_id({'image_id': value}, 'image_id', 'a.json:3')
