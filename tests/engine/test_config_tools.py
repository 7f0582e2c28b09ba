import sys

import pytest
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook

from mmduet.engine.config_tools import (
    ConfigError,
    add_average,
    anchor_data_roots,
    apply_options,
    apply_patch,
    drop_pretrained,
    enable_auto_scale_lr,
    find_patch,
    load_config,
    parse_options,
    set_batch_size,
    set_data_root,
    set_rate,
    set_splits,
    splits_of,
    walk,
)
from tests.shared_data import ROOT


def nested():
    return Config(dict(
        data_root='top', model=dict(pretrained='a', student=dict(encoders=[dict(pretrained='b'), dict(depth=50)])),
        train_dataloader=dict(dataset=dict(datasets=[dict(data_root=name, splits=['train']) for name in 'xy'])),
        val_dataloader=dict(dataset=dict(data_root='z', splits=['val']))))


def test_a_config_may_import_a_file_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr('sys.path', [*sys.path])
    (tmp_path / 'own_loss_of_a_user.py').write_text('class OwnLoss:\n    weight = 3\n')
    (tmp_path / 'config.py').write_text('from own_loss_of_a_user import OwnLoss\nmodel = dict(type=OwnLoss)\n')
    assert load_config(tmp_path / 'config.py').model.type.weight == 3


def test_a_config_in_yaml_holds_plain_values_and_makes_no_objects(tmp_path):
    (tmp_path / 'good.yaml').write_text('model: {type: TransVG}')
    assert load_config(tmp_path / 'good.yaml').model.type == 'TransVG'
    (tmp_path / 'bad.yaml').write_text(f'a: !!python/object/apply:os.mkdir ["{tmp_path / "made"}"]')
    with pytest.raises(ConfigError, match=r'bad\.yaml cannot be read: could not determine a constructor'):
        load_config(tmp_path / 'bad.yaml')
    assert not (tmp_path / 'made').exists()


def test_every_data_root_is_set_also_inside_lists(tmp_path):
    cfg = nested()
    assert set_data_root(cfg, tmp_path) == 4
    assert [d.data_root for d in cfg.train_dataloader.dataset.datasets] == [str(tmp_path), str(tmp_path)]
    assert cfg.val_dataloader.dataset.data_root == str(tmp_path)


def test_a_missing_data_root_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no data root .*mmduet prepare'):
        set_data_root(nested(), tmp_path / 'none')


def test_every_pretrained_is_dropped_also_inside_lists():
    cfg = nested()
    assert drop_pretrained(cfg) == 2
    assert cfg.model.pretrained is None
    assert cfg.model.student.encoders[0].pretrained is None
    assert cfg.model.student.encoders[1] == dict(depth=50)


def test_the_splits_of_one_loader_are_set():
    cfg = nested()
    set_splits(cfg, 'train_dataloader', ['val', 'testA'])
    assert [d.splits for d in cfg.train_dataloader.dataset.datasets] == [['val', 'testA'], ['val', 'testA']]
    assert cfg.val_dataloader.dataset.splits == ['val']
    with pytest.raises(ConfigError, match='test_dataloader of the config has no data set with splits'):
        set_splits(cfg, 'test_dataloader', ['val'])


def test_each_split_of_a_loader_is_named_once():
    cfg = nested()
    cfg.train_dataloader.dataset.datasets[1].splits = ['val', 'train']
    assert splits_of(cfg.train_dataloader) == ['train', 'val'] and splits_of(cfg.val_dataloader) == ['val']
    assert splits_of(None) == splits_of(dict(dataset=dict(data_root='a'))) == splits_of(dict(dataset=dict(splits=None))) == []


def test_options_become_python_values():
    assert parse_options(['a.b=3', 'c=1e-3', 'd=[1, 2]', 'e=None', 'f=true', 'g=x=y', 'h=(0.9, 0.98)', 'i=']) == {
        'a.b': 3, 'c': 1e-3, 'd': [1, 2], 'e': None, 'f': True, 'g': 'x=y', 'h': (0.9, 0.98), 'i': ''}
    with pytest.raises(ConfigError, match="takes key=value, got 'abc'"):
        parse_options(['abc'])


def test_options_are_merged_and_a_misspelt_first_key_is_refused():
    cfg = nested()
    apply_options(cfg, ['model.student.encoders.1.depth=101', 'find_unused_parameters=True'])
    assert cfg.model.student.encoders[1].depth == 101
    assert cfg.find_unused_parameters is True
    with pytest.raises(ConfigError, match=r"no 'modle' \(from 'modle\.depth'\); nearest: model"):
        apply_options(cfg, ['modle.depth=1'])


def test_a_missing_config_names_the_nearest():
    with pytest.raises(FileNotFoundError, match=r'no config configs/transvg/transvg_refcocoo\.py; nearest: '
                                                r'configs/transvg/transvg_refcoco\.py'):
        load_config('configs/transvg/transvg_refcocoo.py')


def test_a_config_of_the_repository_is_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert load_config('configs/_base_/schedules/transvg_90e.py').train_cfg.max_epochs == 90


def test_relative_data_roots_are_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tests').mkdir()
    cfg = Config(dict(a=dict(data_root='tests'), b=dict(data_root='docs'), c=dict(data_root='nowhere')))
    anchor_data_roots(cfg)
    assert (cfg.a.data_root, cfg.b.data_root, cfg.c.data_root) == ('tests', str(ROOT / 'docs'), 'nowhere')


def test_a_walk_gives_outer_mappings_before_inner_ones():
    assert [node.get('n') for node in walk({'n': 1, 'x': [{'n': 2, 'y': ({'n': 3}, )}, 5]})] == [1, 2, 3]


def test_schedules_state_the_rates_of_the_authors():
    cfg = load_config('configs/_base_/schedules/transvg_90e.py')
    assert cfg.optim_wrapper.optimizer.lr == 1e-4
    assert cfg.optim_wrapper.paramwise_cfg.custom_keys == dict(visual_encoder=dict(lr_mult=0.1), text_encoder=dict(lr_mult=0.1))
    assert cfg.param_scheduler[0].milestones == [60]
    assert 'clip_grad' not in cfg.optim_wrapper
    longer = load_config('configs/_base_/schedules/transvg_180e.py')
    assert (longer.train_cfg.max_epochs, longer.param_scheduler[0].milestones) == (180, [120])


def test_the_default_runtime_survives_a_dump(tmp_path):
    cfg = load_config('configs/_base_/default_runtime.py')
    cfg.dump(tmp_path / 'dump.py')
    again = Config.fromfile(tmp_path / 'dump.py')
    assert again.default_hooks.checkpoint.save_best == 'acc@0.5'
    assert again.runner_type == 'mmduet.engine.GroundingRunner'


def test_rates_are_scaled_where_a_config_says_what_they_are_for():
    cfg = load_config('configs/transvg/transvg_refshapes.py')
    assert not cfg.auto_scale_lr.enable
    enable_auto_scale_lr(cfg)
    assert cfg.auto_scale_lr.to_dict() == dict(enable=True, base_batch_size=16)
    with pytest.raises(ConfigError, match='needs the expressions per update that the rate is for'):
        enable_auto_scale_lr(Config(dict(model=dict())))


@pytest.mark.parametrize(('name', 'expressions', 'scaled'), [
    ('transvg/transvg_refcoco', 64, True), ('transvg/transvg_refcocoplus', 64, True), ('vltvg/vltvg_refcoco', 64, True),
    ('qrnet/qrnet_refcoco', 64, True), ('clip_vg/clip_vg_refcoco', 320, True), ('duet/transvg_duet_refcoco', 64, True),
    ('duet/clip_vg_duet_flickr30k', 320, True), ('duet/transvg_duet_refshapes', 16, False),
    ('transvg/transvg_small_refcoco', 10, False), ('duet/transvg_duet_small_refcoco', 10, False)])
def test_every_schedule_says_for_how_many_expressions_its_rates_are_and_full_recipes_scale_them(name, expressions, scaled):
    assert load_config(f'configs/{name}.py').auto_scale_lr.to_dict() == dict(enable=scaled, base_batch_size=expressions)


def test_a_patch_changes_a_config_and_is_found_by_its_name_or_its_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ['def change(cfg):', 'cfg.model.student.encoders[1].update(depth=18)', 'cfg.new = dict(a=1)']
    (tmp_path / 'mine.py').write_text('\n    '.join(lines))
    cfg = nested()
    apply_patch(cfg, 'mine.py')
    assert (cfg.model.student.encoders[1].depth, cfg.new.a) == (18, 1)
    assert find_patch('text') == find_patch('configs/duet/ablation/text.py') == ROOT / 'mmduet/configs/duet/ablation/text.py'


def test_a_patch_that_is_not_there_is_none_or_does_not_fit_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='no patch sematic in configs/duet/ablation; nearest: semantic'):
        apply_patch(nested(), 'sematic')
    path = tmp_path / 'odd.py'
    path.write_text('change = 3')
    with pytest.raises(ConfigError, match=r'odd.py is no patch: it has no function change\(cfg\)'):
        apply_patch(nested(), path)
    path.write_text('def change(cfg):\n    cfg.model.head.update(terms=None)')
    with pytest.raises(ConfigError, match=r"the patch odd does not fit .*: 'ConfigDict' object has no attribute 'head'"):
        apply_patch(nested(), path)


def test_a_contrast_that_another_patch_left_out_has_no_place_to_take():
    cfg = load_config('configs/duet/transvg_duet_refshapes.py')
    apply_patch(cfg, 'semantic')
    for name in ('drawn', 'ranked_location'):
        with pytest.raises(ConfigError, match=f'the patch {name} does not fit .*: .*no contrast any more whose place another'):
            apply_patch(cfg, name)


def test_lists_are_written_as_in_mmdetection():
    assert parse_options(['a=1,2', 'b=[x,y]', 'c=[(1,2),(3,4)]', 'd=x,y', 'e=(a,b)', 'f=["p","q"]', "g='s,t'", 'h=0.5,x']) == {
        'a': [1, 2], 'b': ['x', 'y'], 'c': [(1, 2), (3, 4)], 'd': ['x', 'y'], 'e': ('a', 'b'), 'f': ['p', 'q'], 'g': 's,t',
        'h': [0.5, 'x']}
    with pytest.raises(ConfigError, match='Imbalanced brackets'):
        parse_options(['a=[(1,2]'])


def test_options_go_into_lists_by_number_and_not_past_their_end():
    cfg = nested()
    apply_options(cfg, ['train_dataloader.dataset.datasets.1.splits=val,testA'])
    assert cfg.train_dataloader.dataset.datasets[1].splits == ['val', 'testA']
    with pytest.raises(ConfigError, match=r'datasets\.7\.splits does not fit the config: Index 7 exceeds'):
        apply_options(cfg, ['train_dataloader.dataset.datasets.7.splits=val'])
    with pytest.raises(ConfigError, match=r'--cfg-options data_root\.x'):
        apply_options(cfg, ['data_root.x=1'])


FULL = sorted(path.relative_to(ROOT / 'configs') for folder in ('transvg', 'vltvg', 'qrnet', 'clip_vg', 'duet')
              for path in (ROOT / 'configs' / folder).glob('*.py') if not path.stem.endswith('_refshapes')
              and 'small' not in path.stem and path.stem != '__init__')


@pytest.mark.parametrize('name', FULL, ids=str)
def test_every_full_recipe_scales_its_rate_to_the_expressions_of_an_update(name):
    cfg = load_config(ROOT / 'configs' / name)
    assert cfg.auto_scale_lr.to_dict() == dict(enable=True, base_batch_size=320 if 'clip_vg' in name.stem else 64)


def test_batch_and_rate_are_set_as_given():
    cfg = load_config('configs/transvg/transvg_refcoco.py')
    set_batch_size(cfg, 3)
    set_rate(cfg, 5e-4, scaled=True)
    assert (cfg.train_dataloader.batch_size, cfg.val_dataloader.batch_size) == (3, 16)
    assert (cfg.optim_wrapper.optimizer.lr, cfg.auto_scale_lr.enable) == (5e-4, True)
    set_rate(cfg, 1e-3, scaled=False)
    assert (cfg.optim_wrapper.optimizer.lr, cfg.auto_scale_lr) == (1e-3, None)
    for change in (lambda cfg: set_batch_size(cfg, 3), lambda cfg: set_rate(cfg, 1.0, scaled=False)):
        with pytest.raises(ConfigError, match='needs a'):
            change(Config(dict(model=dict())))
    cfg.train_dataloader.batch_sampler = dict(type='AspectRatioBatchSampler')
    set_batch_size(cfg, 5)  # which the runner gives to the sampler
    assert cfg.train_dataloader.batch_size == 5
    for sampler in (dict(type='AspectRatioBatchSampler', batch_size=4), lambda: None):
        cfg._cfg_dict.train_dataloader.batch_sampler = sampler
        with pytest.raises(ConfigError, match='and no batch_sampler with another'):
            set_batch_size(cfg, 3)


class OwnAverage(EMAHook):
    """A user's."""


@pytest.mark.parametrize(('hooks', 'added'), [
    (None, True), ([], True), ([dict(type=Hook)], True), ([None], True), ([dict(priority=1)], True),
    ([dict(type=EMAHook)], False), ([dict(type='EMAHook')], False), ([dict(type='mmengine.EMAHook')], False),
    ([dict(type=OwnAverage)], False)])
def test_one_moving_average_is_enough(hooks, added):
    cfg = Config(dict(custom_hooks=hooks))
    add_average(cfg)
    assert [hook for hook in cfg.custom_hooks or [] if hook == {'type': 'EMAHook', 'ema_type': 'MomentumAnnealingEMA'}] == (
        [{'type': 'EMAHook', 'ema_type': 'MomentumAnnealingEMA'}] if added else [])
    assert len(cfg.custom_hooks) == len(hooks or []) + added


@pytest.mark.parametrize(('content', 'said'), [
    (b'\x89PNG\0', r'mine\.py is no patch but a binary file'),
    (b'def change(cfg)\n    pass\n', r"mine\.py, line 1 is no Python: expected ':'")])
def test_a_patch_that_is_no_python_is_a_sentence(tmp_path, content, said):
    (tmp_path / 'mine.py').write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        apply_patch(nested(), tmp_path / 'mine.py')
