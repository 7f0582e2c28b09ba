import os
import resource
from importlib import import_module

import pytest
import torch
from mmdet.models.backbones import ResNet
from mmengine.config import Config
from mmengine.fileio import load
from mmengine.runner import load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.visualization import LocalVisBackend
from torch import nn
from yaml import YAMLError

from mmduet.io.errors import DataError, TruncatedFileError
from mmduet.io.host_files import CHANGES, _fetch_weights, guard_host_files


@pytest.fixture
def harmful(tmp_path):
    """A checkpoint that would make a folder when it is unpickled, and the folder."""
    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'made'), )

    torch.save({'state_dict': {'a': torch.zeros(1)}, 'extra': Harmful()}, tmp_path / 'harmful.pth')
    return tmp_path / 'harmful.pth', tmp_path / 'made'


def test_a_part_of_mmdetection_does_not_unpickle_its_pretrained_weights(harmful):
    path, made = harmful
    part = ResNet(18, num_stages=1, strides=(1, ), dilations=(1, ), out_indices=(0, ),
                  init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    with pytest.raises(DataError, match='could run code'):
        part.init_weights()
    assert not made.exists()


@pytest.mark.parametrize('prefix', ['', 'http://127.0.0.1:1/', 'openmmlab://'])
def test_no_way_of_mmengine_to_load_weights_unpickles_them(harmful, monkeypatch, tmp_path, prefix):
    path, made = harmful
    checkpoint = import_module('mmengine.runner.checkpoint')
    (tmp_path / 'hub/checkpoints').mkdir(parents=True)
    path.rename(tmp_path / 'hub/checkpoints' / path.name)
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path / 'hub'))
    monkeypatch.setattr(checkpoint, 'get_external_models', lambda: {'harmful': str(tmp_path / 'hub/checkpoints' / path.name)})
    local = str(tmp_path / 'hub/checkpoints' / path.name)
    name = {'': local, 'openmmlab://': 'openmmlab://harmful'}.get(prefix, prefix + path.name)
    with pytest.raises(DataError, match='could run code'):
        CheckpointLoader.load_checkpoint(name, 'cpu')
    assert not made.exists()


def test_what_is_not_on_the_disk_is_not_read():
    with pytest.raises(DataError, match='download them and give the local path'):
        checkpoint = import_module('mmengine.runner.checkpoint')
        getattr(checkpoint, '_safe_torch_load', checkpoint.torch.load)(object())


def test_mmengines_loading_still_works_and_tells_a_changed_bit(tmp_path):
    path, model = tmp_path / 'a.pth', nn.Linear(1, 1)
    torch.save({'state_dict': {'weight': torch.full((1, 1), 3.0), 'bias': torch.zeros(1)}}, path)
    load_checkpoint(model, str(path))
    assert model.weight.item() == 3
    path.write_bytes(path.read_bytes().replace(torch.tensor(3.0).numpy().tobytes(), b'\0\0\x42\x40', 1))
    with pytest.raises(TruncatedFileError, match='CRC-32'):
        load_checkpoint(model, str(path))
    with pytest.raises(FileNotFoundError, match=r'gone\.pth can not be found'):
        load_checkpoint(model, str(tmp_path / 'gone.pth'))


def test_a_fetched_file_that_is_there_is_read_from_the_disk(tmp_path):
    torch.save({'a': torch.ones(1)}, tmp_path / 'net.pth')
    assert _fetch_weights('https://127.0.0.1:1/models/net.pth?raw=1', str(tmp_path))['a'].item() == 1


def test_yaml_makes_plain_values_and_no_objects(tmp_path):
    (tmp_path / 'good.yaml').write_text('a: [1, {b: text}]')
    assert load(tmp_path / 'good.yaml') == {'a': [1, {'b': 'text'}]}
    (tmp_path / 'bad.yaml').write_text(f'a: !!python/object/apply:os.mkdir ["{tmp_path / "made"}"]')
    with pytest.raises(YAMLError, match='could not determine a constructor'):
        load(tmp_path / 'bad.yaml')
    assert not (tmp_path / 'made').exists()


def test_every_change_has_a_module_that_has_what_is_changed():
    changed = [import_module(name) for name in CHANGES]
    assert import_module('transformers.dynamic_module_utils').TIME_OUT_REMOTE_CODE == 0
    before = [dict(vars(module)) for module in changed]
    guard_host_files()
    assert [dict(vars(module)) for module in changed] == before


def test_a_config_is_written_in_one_step_and_each_log_names_its_file(tmp_path):
    config = Config({'b': ['x'], 'a': {'z': 1, 'y': 2}})
    for name in ('c.py', 'c.json', 'c.yaml'):
        config.dump(tmp_path / name)
        read = Config.fromfile(tmp_path / name)
        assert read.to_dict() == {'b': ['x'], 'a': {'z': 1, 'y': 2}}
        assert [list(read), list(read.a)] == [['b', 'a'], ['z', 'y']]
        assert read.dump() == (tmp_path / name).read_text()
    assert config.dump() == config.pretty_text
    (tmp_path / 'd.py').mkdir()
    with pytest.raises(IsADirectoryError, match=r"d\.py'$"):
        config.dump(str(tmp_path / 'd.py'))
    assert sorted(path.name for path in tmp_path.iterdir()) == ['c.json', 'c.py', 'c.yaml', 'd.py']
    logs = LocalVisBackend(str(tmp_path / 'logs'))
    logs.add_config(config)
    logs.add_scalars({'loss': 1.0})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: '.*logs/scalars\.json'"):
            logs.add_scalars({'loss': 1.0})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
