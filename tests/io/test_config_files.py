import subprocess

import pytest
from mmengine.config import Config

from mmduet.io import config_files
from mmduet.io.config_files import find_config, list_configs, nearest
from mmduet.io.files import CONFIGS
from tests.shared_data import ROOT

DUET = CONFIGS / 'duet/transvg_duet_refcoco.py'


@pytest.mark.parametrize('name', ['transvg_duet_refcoco', 'transvg_duet_refcoco.py', 'duet/transvg_duet_refcoco', DUET,
                                  'configs/duet/transvg_duet_refcoco.py', 'configs/duet/transvg_duet_refcoco',
                                  'mmduet/configs/duet/transvg_duet_refcoco.py'])
def test_a_config_is_found_by_name_and_by_path_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config(name) == DUET


def test_a_config_here_comes_before_that_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / 'configs/duet/transvg_duet_refcoco.py'
    own.parent.mkdir(parents=True)
    own.touch()
    assert find_config('configs/duet/transvg_duet_refcoco.py').resolve() == own
    assert find_config('transvg_duet_refcoco') == DUET


def test_the_package_needs_no_link_beside_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('mmduet.io.files.PACKAGE_PARENT', tmp_path)
    assert find_config('configs/duet/transvg_duet_refcoco.py') == DUET
    # What a clone on a system without links has in its place.
    (tmp_path / 'configs').write_text('mmduet/configs')
    assert find_config('configs/duet/transvg_duet_refcoco.py') == DUET


@pytest.mark.parametrize(('name', 'message'), [
    ('transvg_duet_refcocoo', 'no config transvg_duet_refcocoo; nearest: .*transvg_duet_refcoco'),
    ('configs/duet/transvg_duet_refcocoo.py', 'nearest: configs/duet/transvg_duet_refcoco.py'),
    ('nothing/like/it.yaml', 'no config nothing/like/it.yaml$'),
    ('configs/duet', 'no config configs/duet; nearest: configs/duet/'),
    ('', 'no config ')])
def test_a_config_that_is_not_there_names_the_nearest(name, message):
    with pytest.raises(FileNotFoundError, match=message):
        find_config(name)


def test_a_name_of_several_configs_is_refused_and_all_are_named(tmp_path, monkeypatch):
    for folder in 'ab':
        (tmp_path / 'configs' / folder).mkdir(parents=True)
        (tmp_path / 'configs' / folder / 'same.py').touch()
    monkeypatch.setattr(config_files, 'CONFIGS', tmp_path / 'configs')
    with pytest.raises(FileNotFoundError, match=r'there are several configs same: configs/a/same.py, configs/b/same.py'):
        find_config('same')
    assert find_config('b/same') == tmp_path / 'configs/b/same.py'


def test_every_config_of_the_package_has_a_name_of_its_own():
    names = [path.stem for path in list_configs()]
    assert len(set(names)) == len(names) > 60
    assert not {'_base_', 'ablation'} & {part for path in list_configs() for part in path.parts}


def test_the_nearest_words_end_a_sentence():
    assert nearest('trasvg', ['transvg', 'vltvg', 'x']) == '; nearest: transvg'
    assert nearest('trasvg', ['transvg', 'vltvg', 'x'], cutoff=0.5) == '; nearest: transvg, vltvg'
    assert nearest('abc', ['xyz']) == ''


def test_a_config_in_a_folder_of_its_own_inherits_one_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').write_text('from mmengine.config import read_base\n\nwith read_base():\n'
                                      '    from mmduet.configs.transvg.transvg_refshapes import *\n')
    assert Config.fromfile('mine.py').model == Config.fromfile(CONFIGS / 'transvg/transvg_refshapes.py').model


def test_the_link_of_a_checkout_is_kept_by_git():
    listed = subprocess.run(['git', 'ls-files', '-s', 'configs'], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip('no checkout of git')
    assert listed.stdout.startswith('120000 ')
    assert (ROOT / 'configs').resolve() == CONFIGS
