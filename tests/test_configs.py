import pytest
from mmengine.config import Config

from mmduet.engine.config_tools import drop_pretrained, walk
from mmduet.engine.pretraining import kept_out, stated_excludes
from mmduet.models import BaseGrounder, DistilledGrounder
from mmduet.registry import MODELS
from tests.shared_data import ROOT

BUILT: dict[str, bool] = {}  # models that were built, and whether they are distilled
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
    # Leaves that differ by their data alone have one model, which is built once.
    key = repr(config.model.to_dict())
    if key in BUILT:
        assert 'duet' not in path.stem or BUILT[key]
        return
    model = MODELS.build(config.model)
    if 'duet' in path.stem:
        assert isinstance(model, DistilledGrounder)
        assert isinstance(model.student, BaseGrounder)
        assert {name.split('.')[0] for name in model.state_dict()} == {'student', 'head'}
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trainable > 0
    BUILT[key] = isinstance(model, DistilledGrounder)


@pytest.mark.parametrize(('name', 'tokens', 'epochs', 'weights'), [
    ('refcoco', 20, 90, 'unc'), ('refcocoplus', 20, 180, 'unc'), ('refcocog_umd', 40, 90, 'gref'),
    ('refcocog_google', 40, 90, 'gref'), ('referit', 20, 90, 'referit'), ('flickr30k', 20, 90, 'referit')])
def test_every_data_set_has_its_length_of_query_schedule_and_weights(name, tokens, epochs, weights):
    plain = Config.fromfile(ROOT / f'configs/transvg/transvg_{name}.py')
    distilled = Config.fromfile(ROOT / f'configs/duet/transvg_duet_{name}.py')
    for config, student in ((plain, plain.model), (distilled, distilled.model.student)):
        assert student.text_encoder.max_tokens == tokens
        assert student.pretrained == f'checkpoints/detr_r50_{weights}.safetensors'
        assert config.train_cfg.max_epochs == epochs
        assert config.train_dataloader.dataset.data_root == config.test_dataloader.dataset.data_root
        assert name in config.train_dataloader.dataset.data_root
    assert kept_out(stated_excludes(plain), plain.train_dataloader.dataset.data_root.removeprefix('data/')) == (
        'unknown' if name == 'flickr30k' else 'yes')
    assert stated_excludes(distilled) is None


def test_joint_training_excludes_what_any_of_its_data_sets_is_tested_on():
    joint = Config.fromfile(ROOT / 'configs/transvg/transvg_joint.py').train_dataloader.dataset
    roots = {'data/refcoco_unc', 'data/refcocoplus_unc', 'data/refcocog_umd', 'data/referit', 'data/flickr30k'}
    assert {part.data_root for part in joint.datasets} == {part.data_root for part in joint.exclude} == roots
    assert all(part.splits == ['train'] for part in joint.datasets)


@pytest.mark.parametrize('path', [path for path in LEAVES if 'pretraining' not in path.parts and 'clip' not in path.parts],
                         ids=_name)
def test_leaf_of_a_student_is_short_and_has_all_loaders(path):
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.strip().startswith('#')]
    assert len(lines) <= 20
    config = Config.fromfile(path)
    splits = {name: [split for node in walk(config[name]) for split in node.get('splits', [])]
              for name in ('train_dataloader', 'val_dataloader', 'test_dataloader')}
    assert all(splits.values()), splits
