import pytest
import torch

from mmduet.engine.config_tools import ConfigError
from projects.ablation.runs import check_comparable, read_records
from projects.ablation.tests.tiny_experiment import write_arms
from projects.ablation.trial import Trial, resolve, run_trial
from tests.shared_data import ROOT
from tests.tiny_grounder import TinyGrounder, make_data_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=8)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return write_arms(tmp_path_factory.mktemp('arms'), plain={}, longer={'ablation__budget_factor': 1.5},
                      by_epoch={'param_scheduler': [dict(type='LinearLR')]}, endless={'train_cfg__max_iters': None})


def trial(folder, root, tmp_path, arm='plain', **changes):
    values = dict(arm=arm, config=str(folder / f'{arm}.py'), seed=0, work_dir=str(tmp_path / arm), data_root=str(root),
                  out=str(tmp_path / 'runs.jsonl'))
    return Trial(**{**values, **changes})


def test_a_run_leaves_its_record_and_its_student(folder, root, tmp_path):
    record = run_trial(trial(folder, root, tmp_path, identity={'commit': 'abc'}))
    assert read_records(tmp_path / 'runs.jsonl')[0] == [record]
    assert (record['arm'], record['seed'], record['budget'], record['steps'], record['commit']) == ('plain', 0, 6, 6, 'abc')
    assert [point[0] for point in record['curve']] == [2, 4]
    assert len(record['order']) == 6
    assert set(record['val']) >= {'acc@0.5', 'acc@0.75', 'acc@0.9', 'miou'}
    assert 0 < record['step_cpu_ms'] < 1000 * record['cpu_seconds'] / 6
    state = torch.load(tmp_path / 'plain' / 'last.pth', weights_only=True)['state_dict']
    TinyGrounder().load_state_dict(state)


def test_arms_of_a_seed_start_alike_and_see_the_same(folder, root, tmp_path):
    plain, longer = (run_trial(trial(folder, root, tmp_path, arm)) for arm in ('plain', 'longer'))
    assert (plain['steps'], longer['steps'], longer['budget']) == (6, 9, 6)
    assert plain['student_hash'] == longer['student_hash']
    assert plain['config_hash'] != longer['config_hash']
    check_comparable([plain, longer])
    other = run_trial(trial(folder, root, tmp_path, seed=1))
    assert other['student_hash'] != plain['student_hash']
    assert other['order'] != plain['order']


def test_a_run_is_the_same_when_it_is_repeated(folder, root, tmp_path):
    first, second = (run_trial(trial(folder, root, tmp_path)) for _ in range(2))
    assert first['weights_hash'] == second['weights_hash']
    assert first['val'] == second['val']


def test_the_number_of_looks_at_val_changes_nothing(folder, root, tmp_path):
    never, often = (run_trial(trial(folder, root, tmp_path, options=(f'ablation.curve_points={n}', ))) for n in (0, 3))
    assert (len(never['curve']), len(often['curve'])) == (0, 3)
    assert never['weights_hash'] == often['weights_hash']


def test_steps_and_size_change_the_config_and_stretch_the_schedule(folder, root, tmp_path):
    cfg = resolve(trial(folder, root, tmp_path, 'longer', steps=60, train_size=4, options=('model.dropout=0.5', )))
    assert (cfg.budget, cfg.train_cfg.max_iters, cfg.param_scheduler[0].end) == (60, 90, 45)
    assert cfg.train_dataloader.dataset.first == 4
    assert cfg.val_dataloader.dataset.get('first') is None
    assert cfg.model.dropout == 0.5


@pytest.mark.parametrize(('arm', 'changes', 'sentence'), [
    ('by_epoch', {}, 'the schedules of an arm count steps'),
    ('endless', {}, 'an arm needs train_cfg.max_iters'),
    ('plain', {'options': ('model.head.region.weight=1', )}, r'arm plain has no model.head \(from model.head.region.weight\)'),
    ('plain', {'identity': {'config_hash': 'old'}}, 'config or data were changed after the command had begun')])
def test_a_run_that_makes_no_sense_is_refused(folder, root, tmp_path, arm, changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        run_trial(trial(folder, root, tmp_path, arm, **changes))


@pytest.mark.parametrize('arm', ['plain', 'plain_longer', 'full', 'untrained_teacher'])
def test_arms_of_the_repository_have_the_same_student_and_budget(root, tmp_path, arm):
    cfg = resolve(Trial(arm=arm, config=str(ROOT / f'configs/duet/ablation/{arm}.py'), seed=0, work_dir=str(tmp_path), out='o',
                        data_root=str(root)))
    plain = resolve(Trial(arm='plain', config=str(ROOT / 'configs/duet/ablation/plain.py'), seed=0, work_dir='w', out='o',
                          data_root=str(root)))
    assert cfg.budget == plain.budget
    assert cfg.model.get('student', cfg.model) == plain.model
    assert cfg.train_dataloader == plain.train_dataloader
    assert cfg.param_scheduler[-1].end == cfg.train_cfg.max_iters == round(cfg.budget * cfg.ablation.budget_factor)
