from pathlib import Path

import pytest
from mmengine.config import Config

from mmduet.engine.config_tools import load_config
from mmduet.engine.schedule_length import describe_misfits, set_epochs
from mmduet.io.text import counted
from tests.engine.tiny_runs import begin
from tests.tiny_grounder import make_data_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4)


def stretched(epochs, stated=(), before=90, **changes):
    cfg = Config(dict(train_cfg=dict(max_epochs=before), **changes))
    sentence = set_epochs(cfg, epochs, stated)
    assert cfg.train_cfg.max_epochs == epochs
    return cfg, sentence


@pytest.mark.parametrize(('name', 'epochs', 'parts'), [
    ('transvg_refcoco', 30, ['param_scheduler.0.milestones [60] -> [20]']),
    ('transvg_refcoco', 180, ['param_scheduler.0.milestones [60] -> [120]']),  # as the authors have it for RefCOCO+
    ('vltvg_refcoco', 45, ['param_scheduler.0.milestones [60] -> [30]', 'custom_hooks.0.epochs 10 -> 5']),
    ('clip_vg_refcoco', 11, ['param_scheduler.0.T_max 110 -> 11']),
    ('transvg_refshapes', 12, ['param_scheduler.1.end 6 -> 12'])])
def test_a_recipe_of_another_length_keeps_the_form_of_its_schedule(name, epochs, parts):
    cfg = load_config(name)
    before = cfg.train_cfg.max_epochs
    assert set_epochs(cfg, epochs) == (f'{epochs} epochs instead of {before}, so that the schedule is stretched: '
                                       f'{"; ".join(parts)}. --cfg-options train_cfg.max_epochs={epochs} leaves it as it is')
    for part in parts:
        place, key, value = part.rpartition(' -> ')[0].split()[0].rpartition('.')[0], part.split()[0].split('.')[-1], part
        kind, index = place.split('.')
        assert repr(cfg[kind][int(index)][key]) == value.rpartition(' -> ')[2]


def test_periods_keep_their_share_and_what_counts_steps_stays():
    schedules = [dict(type='LinearLR', begin=0, end=3), dict(type='LinearLR', by_epoch=False, begin=0, end=90),
                 dict(type='StepLR', step_size=30), dict(type='CosineRestartLR', periods=[30, 60], begin=0),
                 dict(type='OneCycleLR', total_steps=90), dict(type='MultiStepLR', milestones=[1, 0])]
    cfg, sentence = stretched(9, param_scheduler=schedules)
    assert [dict(each) for each in cfg.param_scheduler] == [
        schedules[0], schedules[1], dict(schedules[2], step_size=3), dict(schedules[3], periods=[3, 6]),
        dict(schedules[4], total_steps=9), dict(schedules[5], milestones=[1, 0])]
    assert sentence.count(' -> ') == 3
    one, _ = stretched(45, param_scheduler=dict(type='MultiStepLR', milestones=[60]))
    assert one.param_scheduler.milestones == [30]


@pytest.mark.parametrize(('epochs', 'end', 'turn'), [(45, 45, 40), (200, 200, 195), (4, 90, 85)])
def test_a_cosine_that_ends_with_the_training_after_a_warm_up_still_does(epochs, end, turn):
    cosine = dict(type='CosineAnnealingLR', begin=5, end=90, T_max=85)
    cfg, _ = stretched(epochs, param_scheduler=[dict(type='LinearLR', begin=0, end=5), cosine])
    assert (cfg.param_scheduler[1].begin, cfg.param_scheduler[1].end, cfg.param_scheduler[1].T_max) == (5, end, turn)


HALF_FLAT = [dict(type='LinearLR', by_epoch=False, begin=0, end=1000),
             dict(type='CosineAnnealingLR', begin=150, end=300, T_max=150, convert_to_iter_based=True)]


@pytest.mark.parametrize(('epochs', 'begin', 'turn'), [(30, 15, 15), (36, 18, 18), (600, 300, 300), (3, 2, 1), (1, 0, 1)])
def test_a_schedule_begins_at_its_share_of_the_training(epochs, begin, turn):
    cfg, sentence = stretched(epochs, before=300, param_scheduler=HALF_FLAT)
    assert dict(cfg.param_scheduler[0]) == HALF_FLAT[0]
    assert dict(cfg.param_scheduler[1]) == dict(HALF_FLAT[1], begin=begin, end=epochs, T_max=turn)
    assert sentence.startswith(f'{counted(epochs, "epoch")} instead of 300, so that the schedule is stretched: '
                               f'param_scheduler.1.begin 150 -> {begin}; param_scheduler.1.T_max 150 -> {turn}; '
                               f'param_scheduler.1.end 300 -> {epochs}.')


@pytest.mark.parametrize('first', [dict(type='ConstantLR', factor=1, end=60),
                                   dict(type='LinearLR', start_factor=1, end_factor=0.5, end=60),
                                   dict(type='PolyLR', end=60)])
def test_what_follows_another_schedule_still_begins_where_that_ends(first):
    cfg, _ = stretched(30, param_scheduler=[first, dict(type='LinearLR', start_factor=1, end_factor=0.1, begin=60, end=90)])
    assert [(each.get('begin', 0), each.end) for each in cfg.param_scheduler] == [(0, 20), (20, 30)]


def test_warm_ups_keep_their_length_and_what_follows_them_its_begin():
    warm_ups = [dict(type='ConstantLR', begin=0, end=2), dict(type='LinearLR', begin=2, end=6)]
    rest = [dict(type='MultiStepLR', begin=6, end=90, milestones=[54, 74]), dict(type='PolyLR', begin=9, end=90),
            dict(type='LinearLR', begin=60, end=75)]
    cfg, _ = stretched(30, param_scheduler=[*warm_ups, *rest])
    assert [dict(each) for each in cfg.param_scheduler] == [
        # 60 and 80 of 90 epochs are 20 and 27 of 30, counted from 6 on.
        *warm_ups, dict(rest[0], end=30, milestones=[14, 21]), dict(rest[1], begin=6, end=30), dict(rest[2], begin=20, end=25)]


@pytest.mark.parametrize(('epochs', 'turn', 'flat'), [(30, 24, 28), (600, 575, 570)])
def test_the_warm_up_of_yolox_keeps_its_length_too(epochs, turn, flat):
    schedules = [dict(type='mmdet.QuadraticWarmupLR', begin=0, end=5, convert_to_iter_based=True),
                 dict(type='CosineAnnealingLR', begin=5, T_max=285, end=285, convert_to_iter_based=True),
                 dict(type='ConstantLR', factor=1, begin=285, end=300)]
    cfg, _ = stretched(epochs, before=300, param_scheduler=schedules)
    assert [dict(each) for each in cfg.param_scheduler] == [
        schedules[0], dict(schedules[1], T_max=turn, end=flat), dict(schedules[2], begin=flat, end=epochs)]


def test_a_hook_that_freezes_for_the_whole_training_still_does_and_others_stay():
    cfg, _ = stretched(40, before=20, custom_hooks=[dict(type='mmduet.FreezeHook', parts=['x'], epochs=20),
                                                    dict(type='Other', epochs=20)])
    assert [hook.epochs for hook in cfg.custom_hooks] == [40, 20]


def test_what_the_command_line_states_of_a_schedule_is_taken_as_it_is():
    schedule, hook = dict(type='MultiStepLR', milestones=[60]), dict(type='FreezeHook', epochs=10)
    cfg, sentence = stretched(45, ['param_scheduler.0.milestones', 'model.x'], param_scheduler=[schedule], custom_hooks=[hook])
    assert (cfg.param_scheduler[0].milestones, cfg.custom_hooks[0].epochs) == ([60], 5)
    assert 'milestones' not in sentence
    cfg, sentence = stretched(45, ['custom_hooks.0.epochs'], param_scheduler=[schedule], custom_hooks=[hook])
    assert (cfg.param_scheduler[0].milestones, cfg.custom_hooks[0].epochs) == ([30], 10)


@pytest.mark.parametrize(('epochs', 'changes'), [(90, dict(param_scheduler=[dict(type='MultiStepLR', milestones=[60])])),
                                                 (3, {}), (3, dict(param_scheduler=None, custom_hooks=None)),
                                                 (1, dict(param_scheduler=[dict(type='ConstantLR', end=1),
                                                                            dict(type='PolyLR', begin=1, end=90)]))])
def test_nothing_is_said_where_nothing_is_stretched(epochs, changes):
    assert stretched(epochs, **changes)[1] is None


def test_a_config_without_a_length_is_given_one():
    cfg = Config(dict(train_cfg=dict(by_epoch=True), param_scheduler=[dict(type='MultiStepLR', milestones=[60])]))
    assert set_epochs(cfg, 3) is None and cfg.train_cfg.max_epochs == 3


@pytest.mark.parametrize(('schedules', 'lines'), [
    ([dict(type='MultiStepLR', milestones=[1], by_epoch=True)], []),
    ([dict(type='MultiStepLR', milestones=[1, 2, 5], by_epoch=True)],
     ['MultiStepLR never comes to 2, 5 epochs, and training has 2 epochs']),
    ([dict(type='MultiStepLR', milestones=[1, 2], by_epoch=True, convert_to_iter_based=True)],
     ['MultiStepLR never comes to 4 steps, and training has 4 steps']),
    ([dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=3)], []),
    ([dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=1500)],
     ['LinearLR is cut short: it ends after 1,500 steps, and training has 4 steps']),
    ([dict(type='ConstantLR', by_epoch=False, begin=0, end=3), dict(type='CosineAnnealingLR', by_epoch=False, begin=3, end=4)],
     []),
    ([dict(type='CosineAnnealingLR', by_epoch=False, begin=4, end=9)],
     ['CosineAnnealingLR never begins: it does after 4 steps, and training has 4 steps']),
    ([dict(type='CosineAnnealingLR', T_max=110, by_epoch=True)],
     ['CosineAnnealingLR is cut short: it ends after 110 epochs, and training has 2 epochs']),
    ([dict(type='CosineAnnealingLR', T_max=1, by_epoch=True)],
     ['CosineAnnealingLR turns after 1 epoch, so that the rate rises again, and training has 2 epochs']),
    ([dict(type='CosineAnnealingLR', T_max=2, by_epoch=True)], []),
    ([dict(type='PolyLR', by_epoch=True, begin=0, end=1)],
     ['PolyLR is over after 1 of 2 epochs: the rate stays what it is then']),
    ([dict(type='StepLR', step_size=9, by_epoch=True)], []),
    ([dict(type='ReduceOnPlateauLR', monitor='miou')], []),
    (None, [])])
def test_a_schedule_that_does_not_fit_the_training_is_named(root, tmp_path, schedules, lines):
    runner = begin(tmp_path, root, train_cfg__max_epochs=2, param_scheduler=schedules)
    assert describe_misfits(runner) == lines
    log = next(Path(runner.log_dir).glob('*.log')).read_text()
    assert all(f'WARNING - {line}' in log for line in lines)


def test_a_training_that_counts_steps_is_measured_in_steps(root, tmp_path):
    runner = begin(tmp_path, root, train_cfg=dict(_delete_=True, type='IterBasedTrainLoop', max_iters=3),
                   param_scheduler=[dict(type='MultiStepLR', milestones=[2, 3], by_epoch=False)])
    assert describe_misfits(runner) == ['MultiStepLR never comes to 3 steps, and training has 3 steps']


def test_a_training_that_stops_to_go_on_later_has_the_schedule_of_its_whole_length(root, tmp_path):
    assert describe_misfits(begin(tmp_path, root, train_cfg__max_iters=1)) == []


@pytest.mark.parametrize(('end', 'lines'), [
    (1, ['PolyLR is over after 1 of 4 steps: the rate stays what it is then']), (2, [])])
def test_a_schedule_of_the_steps_until_the_stop_is_whole(root, tmp_path, end, lines):
    schedule = [dict(type='PolyLR', by_epoch=False, begin=0, end=end)]
    runner = begin(tmp_path, root, train_cfg__max_epochs=2, train_cfg__max_iters=2, param_scheduler=schedule)
    assert describe_misfits(runner) == lines
