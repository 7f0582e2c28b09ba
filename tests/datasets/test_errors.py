import pytest

from mmduet.datasets.errors import AnnotationError, ImageError
from mmduet.io.errors import DataError


@pytest.mark.parametrize('kind', [AnnotationError, ImageError])
def test_a_tool_can_catch_everything_wrong_with_data_at_once(kind):
    with pytest.raises(DataError, match='which file'):
        raise kind('which file')
    assert issubclass(DataError, ValueError)
