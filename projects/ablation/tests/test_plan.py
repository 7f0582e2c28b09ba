import pytest

from mmduet.datasets import DataError
from mmduet.engine.config_tools import ConfigError
from projects.ablation.plan import expand_sweep, find_experiments, key_of, make_plan, plan_runs
from projects.ablation.run import Run
from projects.ablation.tests.tiny_study import write_study
from tests.shared_data import ROOT
from tests.tiny_grounder import make_data_root

BASE = Run(experiment='', config='', patches=('setting', ), seed=0, work_dir='w', out='o', options=('a.b=1', ))


@pytest.fixture(scope='module')
def study(tmp_path_factory):
    config, files = write_study(tmp_path_factory.mktemp('experiments'), sharp='cfg.model.dropout = 0.0')
    return str(config), ['full', files['sharp']]


def test_experiments_are_patches_by_name_and_the_config_as_it_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    patches = ROOT / 'mmduet/configs/duet/ablation'
    experiments = find_experiments()
    assert next(iter(experiments)) == 'full' and experiments['full'] == ()
    assert set(experiments) == {'full', *(path.stem for path in patches.glob('*.py'))}
    (tmp_path / 'mine.py').touch()
    assert find_experiments(['text', 'full', 'plain_longer', 'mine.py']) == {
        'text': (str(patches / 'text.py'), ), 'full': (), 'mine': ('mine.py', ),
        'plain_longer': (str(ROOT / 'projects/ablation/patches/plain_longer.py'), )}


def test_experiments_that_are_not_there_are_refused():
    with pytest.raises(FileNotFoundError, match=r'there is no patch drawn_rndom in .*; nearest: drawn_random'):
        find_experiments(['drawn_rndom'])


@pytest.mark.parametrize(('text', 'options'), [
    ('a.b=0.1,2', ['a.b=0.1', 'a.b=2']), ('a=True', ['a=True']), ('a=(1, 2),(3, 4)', ['a=(1, 2)', 'a=(3, 4)']),
    ('a=x,y', ['a=x', 'a=y'])])
def test_a_sweep_is_an_option_for_each_value(text, options):
    assert expand_sweep(text) == options


@pytest.mark.parametrize('text', ['a', '=1', 'a=', 'a=x,,y', 'a=1,1'])
def test_a_sweep_that_makes_no_sense_is_refused(text):
    with pytest.raises(ConfigError, match='--sweep'):
        expand_sweep(text)


def test_trials_come_seed_by_seed():
    experiments = find_experiments(['plain', 'full'])
    runs = plan_runs(experiments, [3, 4], [None, 8], [], BASE)
    assert [key_of(run) for run in runs[:5]] == [('plain', None, 3), ('full', None, 3), ('plain', 8, 3), ('full', 8, 3),
                                                       ('plain', None, 4)]
    assert [run.work_dir for run in runs[1:3]] == ['w/full/seed_3', 'w/plain@8/seed_3']
    assert runs[0].options == ('a.b=1', )
    assert [run.patches for run in runs[:2]] == [('setting', *experiments['plain']), ('setting', )]


def test_every_value_of_a_sweep_is_an_experiment():
    runs = plan_runs(find_experiments(['full']), [0], [None], ['m.x=1,2', 'm.y=a/b'], BASE)
    assert [run.experiment for run in runs] == ['full[m.x=1]', 'full[m.x=2]', 'full[m.y=a/b]']
    assert runs[0].options == ('a.b=1', 'm.x=1')
    assert runs[2].work_dir == 'w/full[m.y=a_b]/seed_0'


def test_a_record_counts_while_config_and_data_are_the_same(study, tmp_path):
    config, names = study
    root = make_data_root(tmp_path / 'data', count=4)
    base = Run(experiment='', config=config, seed=0, work_dir='w', out='o', data_root=str(root), identity={'commit': 'abc'})
    runs = plan_runs(find_experiments(names), [0, 1], [None], [], base)
    empty = make_plan(runs, [])
    assert (len(empty.missing), empty.stale) == (4, ())
    assert empty.runs[0].identity['commit'] == 'abc'
    assert empty.runs[0].identity['config_hash'] != empty.runs[1].identity['config_hash']
    assert empty.runs[0].identity['config_hash'] == empty.runs[2].identity['config_hash']
    records = [{'arm': run.experiment, 'seed': run.seed, 'train_size': None, **run.identity} for run in empty.runs]
    records[1]['config_hash'], records[2]['data_hash'] = 'old', 'old data'
    plan = make_plan(runs, records)
    assert [key_of(run) for run in plan.missing] == [('sharp', None, 0), ('full', None, 1)]
    assert plan.stale[0].startswith('sharp seed 0: the record is stale, made with another config (old, now ')
    assert plan.stale[1].startswith('full seed 1: the record is stale, made with another data (old data, now ')


def test_data_that_are_not_there_are_said_before_anything_runs(study, tmp_path):
    base = Run(experiment='', config=study[0], seed=0, work_dir='w', out='o', data_root=str(tmp_path))
    with pytest.raises(DataError, match=r'there is no .*manifest.json'):
        make_plan(plan_runs(find_experiments(['full']), [0], [None], [], base), [])
