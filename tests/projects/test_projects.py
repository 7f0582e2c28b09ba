"""What holds for every folder under ``projects``; what a project promises is tested beside it."""
import re

import pytest
from mmengine.config import Config

from mmduet.engine.config_tools import walk
from tests.run_tool import run_tool
from tests.shared_data import ROOT
from tests.tiny_grounder import make_data_root

PROJECTS = sorted(path.parent for path in (ROOT / 'projects').glob('*/README.md'))
LEAVES = sorted((ROOT / 'projects').glob('*/configs/*.py'))
RECIPES = ['example_student/configs/example_duet_refshapes.py',
           pytest.param('grounding_dino/configs/grounding_dino_duet_refshapes.py', marks=pytest.mark.slow)]


def _name(path):
    return str(path.relative_to(ROOT / 'projects'))


def test_every_folder_has_a_page_which_names_its_configs_and_has_tests():
    folders = {path for path in (ROOT / 'projects').iterdir() if path.is_dir() and not path.name.startswith(('_', '.'))}
    assert folders == set(PROJECTS)
    for folder in PROJECTS:
        page = (folder / 'README.md').read_text()
        assert all(leaf.name in page for leaf in folder.glob('configs/*.py')), folder
        assert list(folder.rglob('test_*.py')), folder


def test_the_package_knows_no_project():
    assert not [path for path in (ROOT / 'mmduet').rglob('*.py') if 'projects.' in path.read_text()]


def test_the_example_is_as_small_as_its_page_says():
    files = [*(ROOT / 'projects/example_student').glob('*.py'), *(ROOT / 'projects/example_student/configs').glob('*.py')]
    assert sum(len(path.read_text().splitlines()) for path in files if not path.name.startswith('test_')) < 150


@pytest.mark.parametrize('path', LEAVES, ids=_name)
def test_leaf_parses_dumps_and_reloads_to_the_same_from_anywhere(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = Config.fromfile(path)
    config.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == config.to_dict()
    assert path.read_text().startswith('"""'), 'a config says in its first line what it is'
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert [split for node in walk(config[loader]) for split in node.get('splits', [])]


@pytest.mark.parametrize('config', RECIPES)
def test_a_recipe_trains_and_validates_by_the_command_of_its_page_from_any_folder(config, tmp_path):
    run = run_tool('train', f'projects/{config}', '--data-root', make_data_root(tmp_path / 'root'), '--work-dir', 'work',
                   '--max-iters', 3, '--cfg-options', 'train_dataloader.dataset.first=None', 'train_dataloader.batch_size=4',
                   'default_hooks.logger.interval=1', cwd=tmp_path)
    log = run.stdout + run.stderr
    assert run.returncode == 0, log[-2000:]
    assert 'loss_contrast: ' in log and re.search(r'^metric +val$', log, re.MULTILINE)
    assert (tmp_path / 'work/last_checkpoint').is_file()
