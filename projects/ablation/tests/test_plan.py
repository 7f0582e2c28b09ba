from pathlib import Path

import pytest

from mmduet.datasets import DataError
from mmduet.engine.config_tools import ConfigError
from projects.ablation.plan import expand_sweep, find_arms, key_of, make_plan, plan_trials
from projects.ablation.tests.tiny_experiment import write_arms
from projects.ablation.trial import Trial
from tests.shared_data import ROOT
from tests.tiny_grounder import make_data_root

BASE = Trial(arm='', config='', seed=0, work_dir='w', out='o', options=('a.b=1', ))


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return write_arms(tmp_path_factory.mktemp('arms') / 'arms', zebra={}, plain={}, full={'model__dropout': 0.0})


def test_arms_are_the_configs_of_a_folder_with_plain_first(folder):
    (folder / '_base_').mkdir(exist_ok=True)
    assert list(find_arms(folder)) == ['plain', 'full', 'zebra']
    assert list(find_arms(folder, ['zebra', 'plain'])) == ['zebra', 'plain']


def test_the_arms_of_the_repository_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arms = find_arms(Path('configs/duet/ablation'))
    assert {'plain', 'full', 'shuffled_teacher', 'untrained_teacher', 'plain_longer'} <= set(arms)
    assert arms['plain'] == ROOT / 'configs/duet/ablation/plain.py'


@pytest.mark.parametrize(('path', 'names', 'sentence'), [
    ('nowhere', None, 'there is no folder nowhere'), (None, ['fulll'], 'has no arm fulll; the nearest are full'),
    (None, ['xyz9'], 'has no arm xyz9; it has plain, full, zebra')])
def test_arms_that_are_not_there_are_refused(folder, path, names, sentence):
    with pytest.raises(ConfigError, match=sentence):
        find_arms(Path(path) if path else folder, names)


def test_a_folder_without_configs_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='has no config of an arm'):
        find_arms(tmp_path)


@pytest.mark.parametrize(('text', 'options'), [
    ('a.b=0.1,2', ['a.b=0.1', 'a.b=2']), ('a=True', ['a=True']), ('a=(1, 2),(3, 4)', ['a=(1, 2)', 'a=(3, 4)']),
    ('a=x,y', ['a=x', 'a=y'])])
def test_a_sweep_is_an_option_for_each_value(text, options):
    assert expand_sweep(text) == options


@pytest.mark.parametrize('text', ['a', '=1', 'a=', 'a=x,,y', 'a=1,1'])
def test_a_sweep_that_makes_no_sense_is_refused(text):
    with pytest.raises(ConfigError, match='--sweep'):
        expand_sweep(text)


def test_trials_come_seed_by_seed(folder):
    arms = find_arms(folder, ['plain', 'full'])
    trials = plan_trials(arms, [3, 4], [None, 8], [], BASE)
    assert [key_of(trial) for trial in trials[:5]] == [('plain', None, 3), ('full', None, 3), ('plain', 8, 3), ('full', 8, 3),
                                                       ('plain', None, 4)]
    assert [trial.work_dir for trial in trials[1:3]] == ['w/full/seed_3', 'w/plain@8/seed_3']
    assert trials[0].options == ('a.b=1', )


def test_every_value_of_a_sweep_is_an_arm(folder):
    trials = plan_trials(find_arms(folder, ['full']), [0], [None], ['m.x=1,2', 'm.y=a/b'], BASE)
    assert [trial.arm for trial in trials] == ['full[m.x=1]', 'full[m.x=2]', 'full[m.y=a/b]']
    assert trials[0].options == ('a.b=1', 'm.x=1')
    assert trials[2].work_dir == 'w/full[m.y=a_b]/seed_0'


def test_a_record_counts_while_config_and_data_are_the_same(folder, tmp_path):
    root = make_data_root(tmp_path / 'data', count=4)
    base = Trial(arm='', config='', seed=0, work_dir='w', out='o', data_root=str(root), identity={'commit': 'abc'})
    trials = plan_trials(find_arms(folder, ['plain', 'full']), [0, 1], [None], [], base)
    empty = make_plan(trials, [])
    assert (len(empty.missing), empty.stale) == (4, ())
    assert empty.trials[0].identity['commit'] == 'abc'
    assert empty.trials[0].identity['config_hash'] != empty.trials[1].identity['config_hash']
    assert empty.trials[0].identity['config_hash'] == empty.trials[2].identity['config_hash']
    records = [{'arm': trial.arm, 'seed': trial.seed, 'train_size': None, **trial.identity} for trial in empty.trials]
    records[1]['config_hash'], records[2]['data_hash'] = 'old', 'old data'
    plan = make_plan(trials, records)
    assert [key_of(trial) for trial in plan.missing] == [('full', None, 0), ('plain', None, 1)]
    assert plan.stale[0].startswith('full seed 0: the record is stale, made with another config (old, now ')
    assert plan.stale[1].startswith('plain seed 1: the record is stale, made with another data (old data, now ')


def test_data_that_are_not_there_are_said_before_anything_runs(folder, tmp_path):
    base = Trial(arm='', config='', seed=0, work_dir='w', out='o', data_root=str(tmp_path))
    with pytest.raises(DataError, match=r'there is no .*manifest.json'):
        make_plan(plan_trials(find_arms(folder, ['plain']), [0], [None], [], base), [])
