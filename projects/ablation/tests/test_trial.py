import pytest
import torch

from mmduet.engine.config_tools import ConfigError, drop_pretrained
from mmduet.registry import MODELS
from projects.ablation.ablate import SETTING
from projects.ablation.plan import find_arms
from projects.ablation.runs import check_comparable, read_records
from projects.ablation.tests.tiny_experiment import write_experiment
from projects.ablation.trial import Trial, resolve, run_trial
from tests.tiny_grounder import TinyGrounder, make_data_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=8)


@pytest.fixture(scope='module')
def experiment(tmp_path_factory):
    config, files = write_experiment(
        tmp_path_factory.mktemp('arms'), plain='pass', longer='cfg.ablation.budget_factor = 1.5',
        by_epoch="cfg.param_scheduler = [dict(type='LinearLR')]", endless='cfg.train_cfg.max_iters = None',
        unfit='cfg.model.head.terms.update(contrast=None)')
    return config, files


def trial(experiment, root, tmp_path, arm='plain', **changes):
    config, files = experiment
    values = dict(arm=arm, config=str(config), patches=(files[arm], ), seed=0, work_dir=str(tmp_path / arm),
                  data_root=str(root), out=str(tmp_path / 'runs.jsonl'))
    return Trial(**{**values, **changes})


def test_a_run_leaves_its_record_and_its_student(experiment, root, tmp_path):
    record = run_trial(trial(experiment, root, tmp_path, identity={'commit': 'abc'}))
    assert read_records(tmp_path / 'runs.jsonl')[0] == [record]
    assert (record['arm'], record['seed'], record['budget'], record['steps'], record['commit']) == ('plain', 0, 6, 6, 'abc')
    assert [point[0] for point in record['curve']] == [2, 4]
    assert len(record['order']) == 6
    assert set(record['val']) >= {'acc@0.5', 'acc@0.75', 'acc@0.9', 'miou'}
    assert 0 < record['step_cpu_ms'] < 1000 * record['cpu_seconds'] / 6
    state = torch.load(tmp_path / 'plain' / 'last.pth', weights_only=True)['state_dict']
    TinyGrounder().load_state_dict(state)


def test_arms_of_a_seed_start_alike_and_see_the_same(experiment, root, tmp_path):
    plain, longer = (run_trial(trial(experiment, root, tmp_path, arm)) for arm in ('plain', 'longer'))
    assert (plain['steps'], longer['steps'], longer['budget']) == (6, 9, 6)
    assert plain['student_hash'] == longer['student_hash']
    assert plain['config_hash'] != longer['config_hash']
    check_comparable([plain, longer])
    other = run_trial(trial(experiment, root, tmp_path, seed=1))
    assert other['student_hash'] != plain['student_hash']
    assert other['order'] != plain['order']


def test_a_run_is_the_same_when_it_is_repeated(experiment, root, tmp_path):
    first, second = (run_trial(trial(experiment, root, tmp_path)) for _ in range(2))
    assert first['weights_hash'] == second['weights_hash']
    assert first['val'] == second['val']


def test_the_number_of_looks_at_val_changes_nothing(experiment, root, tmp_path):
    never, often = (run_trial(trial(experiment, root, tmp_path, options=(f'ablation.curve_points={n}', ))) for n in (0, 3))
    assert (len(never['curve']), len(often['curve'])) == (0, 3)
    assert never['weights_hash'] == often['weights_hash']


def test_steps_and_size_change_the_config_and_stretch_the_schedule(experiment, root, tmp_path):
    cfg = resolve(trial(experiment, root, tmp_path, 'longer', steps=60, train_size=4, options=('model.dropout=0.5', )))
    assert (cfg.budget, cfg.train_cfg.max_iters, cfg.param_scheduler[0].end) == (60, 90, 45)
    assert cfg.train_dataloader.dataset.first == 4
    assert cfg.val_dataloader.dataset.get('first') is None
    assert cfg.model.dropout == 0.5


@pytest.mark.parametrize(('arm', 'changes', 'sentence'), [
    ('by_epoch', {}, 'the schedules of an arm count steps'),
    ('endless', {}, 'an arm needs train_cfg.max_iters'),
    ('unfit', {}, "the patch unfit does not fit .*tiny.py: 'ConfigDict' object has no attribute 'head'"),
    ('plain', {'options': ('model.head.region.weight=1', )}, r'arm plain has no model.head \(from model.head.region.weight\)'),
    ('plain', {'identity': {'config_hash': 'old'}}, 'config or data were changed after the command had begun')])
def test_a_run_that_makes_no_sense_is_refused(experiment, root, tmp_path, arm, changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        run_trial(trial(experiment, root, tmp_path, arm, **changes))


def test_a_run_of_the_repository_trains_and_is_scored(tmp_path):
    plain, = find_arms(['plain']).values()
    options = ('train_dataloader.dataset.first=None', 'train_dataloader.batch_size=4')
    record = run_trial(Trial(arm='plain', config='configs/duet/transvg_duet_refshapes.py', patches=(str(SETTING), *plain),
                             seed=0, steps=3, options=options, data_root=str(make_data_root(tmp_path / 'data', count=8)),
                             work_dir=str(tmp_path), out=str(tmp_path / 'runs.jsonl')))
    assert (record['steps'], record['config'], record['patches']) == (3, 'transvg_duet_refshapes.py', ['refshapes', 'plain'])
    assert len(record['curve']) == 2 and 'acc@0.5' in record['val']


@pytest.mark.parametrize('student', ['transvg', 'vltvg', 'qrnet', 'clip_vg'])
def test_arms_on_refshapes_have_the_same_student_data_and_budget(root, tmp_path, student):
    found = {}
    for arm, patches in find_arms(['plain', 'plain_longer', 'full', 'untrained_teacher', 'full_box_gradient']).items():
        cfg = resolve(Trial(arm=arm, config=f'configs/duet/{student}_duet_refshapes.py', patches=(str(SETTING), *patches),
                            seed=0, work_dir=str(tmp_path), out='o', data_root=str(root)))
        plain = found.setdefault('plain', cfg)
        found[arm] = cfg
        assert cfg.budget == 6000
        assert cfg.model.get('student', cfg.model) == plain.model
        assert cfg.train_dataloader == plain.train_dataloader
        assert cfg.param_scheduler[-1].end == cfg.train_cfg.max_iters == round(6000 * cfg.ablation.budget_factor)
    assert found['plain_longer'].train_cfg.max_iters == 6780
    # The cache holds what the trained teacher said.
    assert found['untrained_teacher'].model.teacher.teacher.type.__name__ == 'CLIPTeacher'
    assert found['full'].model.teacher.type == 'mmduet.CachedTeacher'
    drop_pretrained(found['full_box_gradient'])
    found['full_box_gradient'].model.teacher = found['full_box_gradient'].model.teacher.teacher
    head = MODELS.build(found['full_box_gradient'].model).head
    assert type(head.terms['contrast'].anchor).__module__ == 'projects.ablation.box_gradient_anchor'
