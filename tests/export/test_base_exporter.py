import pytest

from mmduet.export.base_exporter import Exporter
from tests.export.bytes_exporter import BytesExporter
from tests.export.made_grounders import TINY, make_grounder


def test_an_exporter_that_only_writes_and_opens_compresses_nothing_and_has_names(tmp_path):
    grounder, exporter, path = make_grounder(TINY['CLIPVG']()), BytesExporter(), tmp_path / 'a.bytes'
    exporter.write(grounder, path)
    written = path.read_bytes()
    assert len(written) == sum(value.nbytes for value in grounder.student.state_dict().values())
    assert exporter.compress(path) is False and path.read_bytes() == written
    assert exporter.names == ('exported', 'compressed')


@pytest.mark.parametrize('missing', ['write', 'open'])
def test_an_exporter_must_write_and_open(missing):
    methods = {name: getattr(BytesExporter, name) for name in ('write', 'open') if name != missing}
    half = type('Half', (Exporter, ), {'suffix': '.half', **methods})
    with pytest.raises(TypeError, match=rf'abstract method .?{missing}'):
        half()
