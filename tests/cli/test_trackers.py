"""What a config writes its curves to must be installed, and that is said before anything else is asked for."""
import sys

import pytest
from mmengine.config import Config
from mmengine.visualization import LocalVisBackend, TensorboardVisBackend, WandbVisBackend

from mmduet.cli.main import main
from mmduet.cli.trackers import PACKAGES, require_trackers
from mmduet.engine.config_tools import ConfigError, load_config
from mmduet.registry import VISBACKENDS
from tests.docs.pages import DOCS, files


class OurWandb(WandbVisBackend):
    """A backend of a user's own."""


def config(*kinds):
    return Config({'visualizer': {'vis_backends': [{'type': kind} for kind in kinds]}})


@pytest.mark.parametrize('kind', ['WandbVisBackend', 'mmengine.visualization.WandbVisBackend', WandbVisBackend, OurWandb])
def test_a_backend_without_its_package_is_named_with_its_place_and_the_command(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, 'wandb', None)
    with pytest.raises(ConfigError, match=r'vis_backends\[1\]: WandbVisBackend needs the package wandb.*: pip install wandb$'):
        require_trackers(config(LocalVisBackend, kind))


@pytest.mark.parametrize('cfg', [config(LocalVisBackend, TensorboardVisBackend), config('LocalVisBackend', 'my.Backend'),
                                 config(), Config({'visualizer': {'vis_backends': None}}), Config({'visualizer': None}),
                                 Config({})])
def test_what_is_installed_or_unknown_is_left_alone(cfg):
    require_trackers(cfg)


def test_tensorboard_is_asked_for_too(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorboard', None)
    with pytest.raises(ConfigError, match=r'vis_backends\[0\]: TensorboardVisBackend needs .* pip install tensorboard$'):
        require_trackers(config('TensorboardVisBackend'))


def test_every_backend_of_the_host_that_needs_a_package_is_known():
    VISBACKENDS.parent.import_from_location()
    theirs = {name for name, kind in VISBACKENDS.parent.module_dict.items() if kind.__module__.startswith('mmengine.')}
    assert theirs - {'LocalVisBackend'} == PACKAGES.keys()


def test_training_says_so_before_it_asks_for_data_or_weights(tmp_path, monkeypatch, capsys):
    """Of the config on the page, whose data and weights are not there either."""
    monkeypatch.setitem(sys.modules, 'wandb', None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'my_run.py').write_text(files(DOCS / 'tracking.md')['my_run.py'])
    cfg = load_config(tmp_path / 'my_run.py')
    assert [backend['type'].__name__ for backend in cfg.visualizer.vis_backends] == [
        'LocalVisBackend', 'TensorboardVisBackend', 'WandbVisBackend']
    assert main(['train', 'my_run.py']) == 1
    sentence = capsys.readouterr().err.strip()
    assert sentence == ('error: visualizer.vis_backends[2]: WandbVisBackend needs the package wandb, which is not installed: '
                        'pip install wandb')
