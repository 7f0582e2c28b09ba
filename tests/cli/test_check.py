import json

import pytest

from mmduet.cli import check as tool
from tests.tiny_data import line, make_data_root, write_photo


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder ``data`` with a good root, and beside it one whose image is another than its annotation says."""
    monkeypatch.setattr(tool, 'data_folder', lambda: tmp_path / 'data')
    monkeypatch.chdir(tmp_path)
    make_data_root(tmp_path / 'data/good', [line(split='val')])
    make_data_root(tmp_path / 'bad', [line(), line(expression_id='2', image='b.png', image_id=2, width=41, split='val')])
    write_photo(tmp_path / 'bad/images/b.png', 40, 30, seed=1)
    return tmp_path


def test_a_root_is_named_by_its_folder_or_by_its_name_in_data(here):
    assert tool.find_root('good') == here / 'data/good'
    assert str(tool.find_root('bad')) == 'bad' and str(tool.find_root('gone')) == 'gone'
    (here / 'good').mkdir()
    assert str(tool.find_root('good')) == 'good'  # what lies here comes first


def test_all_roots_are_checked_and_one_that_is_wrong_ends_with_one(here, capsys):
    assert tool.main(['good', 'data/good']) == 0
    assert capsys.readouterr().out == f'{here}/data/good: 0 errors, 0 notes\ndata/good: 0 errors, 0 notes\n'
    assert tool.main(['bad', 'good']) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == 'bad: 1 error, 0 notes' and lines[-1] == f'{here}/data/good: 0 errors, 0 notes'
    assert tool.main(['bad', '--splits', 'train', '--workers', '1', '--show', '1']) == 0
    assert tool.main(['gone']) == 1
    assert 'gone' in capsys.readouterr().err


def test_leaks_of_a_config_count_too(here, monkeypatch, capsys):
    monkeypatch.setattr('mmduet.cli.check_leaks.data_folder', lambda: here / 'data')
    manifest = json.loads((here / 'data/good/manifest.json').read_text())
    (here / 'data/good').rename(here / 'data/refcoco_unc')
    (here / 'data/refcoco_unc/manifest.json').write_text(json.dumps(manifest | {'dataset': 'refcoco_unc'}))
    (here / 'leaky.py').write_text("train_dataloader = dict(dataset=dict(data_root='data/refcoco_unc', splits=['val']))\n")
    monkeypatch.setattr('mmduet.cli.check_leaks.PACKAGE_PARENT', here)
    assert tool.main(['--leaks', 'leaky.py']) == 1
    assert '1 of 1 image, 1 of 1 expression' in capsys.readouterr().out
    (here / 'train.py').write_text("def change(cfg):\n    cfg.train_dataloader.dataset.splits = ['train']\n")
    for change in (['--cfg-options', 'train_dataloader.dataset.splits=[train]'], ['--patch', 'train.py']):
        assert tool.main(['--leaks', 'leaky.py', *change]) == 1
        assert "has no split 'train', only val" in capsys.readouterr().err


def test_nothing_to_check_is_no_command():
    with pytest.raises(SystemExit) as ended:
        tool.main([])
    assert ended.value.code == 2


def test_a_split_that_nobody_has_is_not_found_good(here, capsys):
    assert tool.main(['good', '--splits', 'vall']) == 1
    assert "has no split 'vall', only val" in capsys.readouterr().err
    for flag, text, said in (('--workers', '0', 'must be at least 1, got 0'), ('--show', '-1', 'must not be negative, got -1')):
        with pytest.raises(SystemExit):
            tool.main(['good', flag, text])
        assert f'argument {flag}: {said}' in capsys.readouterr().err
