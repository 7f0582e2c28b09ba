import stat
import zipfile

import pytest

from mmduet.datasets.readers import find_dataset
from mmduet.datasets.readers.source_files import SourceFiles, open_source
from mmduet.io.errors import DataError
from tests.tiny_data import write_official


def zip_folder(folder, archive):
    with zipfile.ZipFile(archive, 'w') as file:
        for path in folder.rglob('*'):
            file.write(path, path.relative_to(folder.parent))
    return archive


def test_an_archive_is_read_like_its_folder_and_stands_for_its_files(tmp_path):
    folder = write_official(tmp_path / 'refcoco')
    archive = zip_folder(folder, tmp_path / 'refcoco.zip')
    spec = find_dataset('refcoco_unc')
    assert spec.read(archive).annotations == spec.read(folder).annotations
    assert spec.read(archive).files == [archive]


def test_errors_in_an_archive_name_it(tmp_path):
    folder = write_official(tmp_path / 'refcoco')
    (folder / 'instances.json').write_text('{')
    with pytest.raises(DataError, match=r'refcoco\.zip/refcoco/instances\.json: not valid JSON'):
        find_dataset('refcoco_unc').read(zip_folder(folder, tmp_path / 'refcoco.zip'))


@pytest.mark.parametrize('name', ['../evil.json', '/etc/evil.json', 'a/../../evil.json', '..\\evil.json', 'C:/evil.json'])
def test_a_member_that_leads_out_is_refused_and_nothing_is_written(tmp_path, name):
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w') as file:
        file.writestr('good.json', '{}')
        file.writestr(name, '{}')
    with pytest.raises(DataError, match=r'x\.zip: refuses .*outside its folder'), open_source(tmp_path / 'x.zip'):
        pass
    assert not (tmp_path / 'evil.json').exists()


def test_a_link_in_an_archive_is_refused(tmp_path):
    member = zipfile.ZipInfo('link.json')
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w') as file:
        file.writestr(member, '/etc/passwd')
    with pytest.raises(DataError, match='which is a link'), open_source(tmp_path / 'x.zip'):
        pass


def test_a_truncated_archive_and_a_missing_source_are_named(tmp_path):
    (tmp_path / 'x.zip').write_bytes(b'PK\x03\x04')
    for path, message in ((tmp_path / 'x.zip', r'x\.zip is truncated, corrupt or'), (tmp_path / 'gone', 'gone does not exist')):
        with pytest.raises(DataError, match=message), open_source(path):
            pass


def test_only_annotation_files_are_unpacked_and_the_folder_is_gone_afterwards(tmp_path):
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w') as file:
        file.writestr('a/b.json', '{"x": 1}')
        file.writestr('a/run.py', 'x')
    with open_source(tmp_path / 'x.zip') as files:
        assert [path.name for path in files.paths] == ['b.json']
        assert files.json(files.paths[0]) == {'x': 1}
        root = files.root
        assert [path.name for path in root.rglob('*') if path.is_file()] == ['b.json']
    assert not root.exists()


def test_a_single_file_is_a_source(tmp_path):
    (tmp_path / 'a.json').write_text('[1]')
    files = SourceFiles(tmp_path / 'a.json')
    assert files.json(files.named('.json')[0]) == [1]
    assert files.describe() == f'{tmp_path}/a.json holds: a.json'
