import os
import subprocess

from mmduet import __version__
from mmduet.engine import version
from tests.shared_data import ROOT


def test_the_commit_is_that_of_the_checkout():
    found = version.commit()
    if (ROOT / '.git').exists():
        head = subprocess.run(['git', '-C', ROOT, 'rev-parse', 'HEAD'], capture_output=True, text=True, check=True).stdout
        assert head.startswith(found.rstrip('+'))
        assert version.describe_version() == f'mmduet {__version__} (commit {found})'


def test_outside_a_checkout_there_is_none_and_none_is_said(tmp_path, monkeypatch):
    assert version.find_commit(tmp_path) is None
    (tmp_path / '.git').mkdir()
    assert version.find_commit(tmp_path) is None  # git has nothing to say of it
    monkeypatch.setattr(version, 'commit', lambda: None)
    assert version.describe_version() == f'mmduet {__version__}'


def test_asking_for_the_commit_changes_nothing_of_the_checkout(tmp_path):
    for words in (['init', '-q'], ['add', 'a'], ['-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', 'a']):
        (tmp_path / 'a').write_text('a')
        subprocess.run(['git', '-C', str(tmp_path), *words], check=True)
    index = (tmp_path / '.git/index').read_bytes()
    os.utime(tmp_path / 'a', (1, 1))  # what an index is refreshed for
    assert version.find_commit(tmp_path).isalnum()
    assert (tmp_path / '.git/index').read_bytes() == index
