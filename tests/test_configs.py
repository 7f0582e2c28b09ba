import pytest
from mmengine.config import Config

from mmduet.engine.config_tools import drop_pretrained, walk
from mmduet.models import BaseGrounder, DistilledGrounder
from mmduet.registry import MODELS
from tests.shared_data import ROOT

LEAVES = sorted(path for path in (ROOT / 'configs').rglob('*.py') if '_base_' not in path.parts)


def _name(path):
    return str(path.relative_to(ROOT / 'configs'))


@pytest.fixture(autouse=True)
def from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize('path', LEAVES, ids=_name)
def test_leaf_parses_dumps_and_reloads_to_the_same(path, tmp_path):
    config = Config.fromfile(path)
    config.dump(tmp_path / 'dumped.py')
    again = Config.fromfile(tmp_path / 'dumped.py')
    assert again.to_dict() == config.to_dict()
    assert path.read_text().startswith('"""'), 'a config says in its first line what it is'


@pytest.mark.parametrize('path', LEAVES, ids=_name)
def test_leaf_builds_its_model_with_random_weights(path):
    config = Config.fromfile(path)
    drop_pretrained(config)
    model = MODELS.build(config.model)
    if 'duet' in path.stem:
        assert isinstance(model, DistilledGrounder)
        assert isinstance(model.student, BaseGrounder)
        assert {key.split('.')[0] for key in model.state_dict()} == {'student', 'head'}
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trainable > 0


@pytest.mark.parametrize('path', [path for path in LEAVES if 'pretraining' not in path.parts and 'clip' not in path.parts],
                         ids=_name)
def test_leaf_of_a_student_is_short_and_has_all_loaders(path):
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.strip().startswith('#')]
    assert len(lines) <= 20
    config = Config.fromfile(path)
    splits = {name: [split for node in walk(config[name]) for split in node.get('splits', [])]
              for name in ('train_dataloader', 'val_dataloader', 'test_dataloader')}
    assert all(splits.values()), splits
