import pytest

from mmduet.io.errors import AnnotationError, DataError, ImageError


@pytest.mark.parametrize('kind', [AnnotationError, ImageError])
def test_a_tool_can_catch_everything_wrong_with_data_at_once(kind):
    with pytest.raises(DataError, match='which file'):
        raise kind('which file')
    assert issubclass(DataError, ValueError)
