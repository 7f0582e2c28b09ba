from dataclasses import replace

import pytest
import torch

from mmduet.engine.config_tools import ConfigError, drop_pretrained
from mmduet.registry import MODELS
from projects.ablation.ablate import SETTING
from projects.ablation.plan import find_experiments
from projects.ablation.records import check_comparable, read_records
from projects.ablation.run import Run, resolve, train_run
from projects.ablation.run_hook import NOTED_BATCHES
from projects.ablation.tests.tiny_study import write_study
from tests import tiny_data
from tests.tiny_grounder import TinyGrounder, make_data_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=8)


@pytest.fixture(scope='module')
def study(tmp_path_factory):
    config, files = write_study(
        tmp_path_factory.mktemp('experiments'), plain='pass', longer='cfg.ablation.budget_factor = 1.5',
        by_epoch="cfg.param_scheduler = [dict(type='LinearLR')]", endless='cfg.train_cfg.max_iters = None',
        unfit='cfg.model.head.terms.update(contrast=None)',
        short='cfg.train_cfg.max_iters = 2; cfg.param_scheduler = []; cfg.default_hooks.checkpoint = None')
    return config, files


def make_run(study, root, tmp_path, experiment='plain', **changes):
    config, files = study
    values = dict(experiment=experiment, config=str(config), patches=(files[experiment], ), seed=0,
                  work_dir=str(tmp_path / experiment), data_root=str(root), out=str(tmp_path / 'runs.jsonl'))
    return Run(**{**values, **changes})


def test_a_run_leaves_its_record_and_its_student(study, root, tmp_path):
    record = train_run(make_run(study, root, tmp_path, identity={'commit': 'abc'}))
    assert read_records(tmp_path / 'runs.jsonl')[0] == [record]
    assert (record['arm'], record['seed'], record['budget'], record['steps'], record['commit']) == ('plain', 0, 6, 6, 'abc')
    assert len(record['order']) == NOTED_BATCHES and record['anchor_cosine'] is None
    assert set(record['val']) >= {'acc@0.5', 'acc@0.75', 'acc@0.9', 'miou'}
    assert 0 < record['step_cpu_ms'] < 1000 * record['cpu_seconds'] / 6
    state = torch.load(tmp_path / 'plain' / 'last.pth', weights_only=True)['state_dict']
    TinyGrounder().load_state_dict(state)


def test_experiments_of_a_seed_start_alike_and_see_the_same(study, root, tmp_path):
    plain, longer = (train_run(make_run(study, root, tmp_path, experiment)) for experiment in ('plain', 'longer'))
    assert (plain['steps'], longer['steps'], longer['budget']) == (6, 9, 6)
    assert plain['student_hash'] == longer['student_hash']
    assert plain['config_hash'] != longer['config_hash']
    check_comparable([plain, longer])
    other = train_run(make_run(study, root, tmp_path, seed=1))
    assert other['student_hash'] != plain['student_hash']
    assert other['order'] != plain['order']


def test_a_run_is_the_same_when_it_is_repeated(study, root, tmp_path):
    first, second = (train_run(make_run(study, root, tmp_path)) for _ in range(2))
    assert first['weights_hash'] == second['weights_hash']
    assert first['val'] == second['val']


def test_steps_and_size_change_the_config_and_stretch_the_schedule(study, root, tmp_path):
    cfg = resolve(make_run(study, root, tmp_path, 'longer', steps=60, train_size=4, options=('model.dropout=0.5', )))
    assert (cfg.budget, cfg.train_cfg.max_iters, cfg.param_scheduler[0].end) == (60, 90, 45)
    assert cfg.train_dataloader.dataset.first == 4
    assert cfg.val_dataloader.dataset.get('first') is None
    assert cfg.model.dropout == 0.5


@pytest.mark.parametrize(('experiment', 'changes', 'sentence'), [
    ('by_epoch', {}, 'the schedules of an experiment count steps'),
    ('endless', {}, 'an experiment needs train_cfg.max_iters'),
    ('unfit', {}, "the patch unfit does not fit .*tiny.py: 'ConfigDict' object has no attribute 'head'"),
    ('plain', {'options': ('model.head.x.y=1', )}, r'experiment plain has no model.head \(from model.head.x.y\)'),
    ('plain', {'identity': {'config_hash': 'old'}}, 'config or data were changed after the command had begun')])
def test_a_run_that_makes_no_sense_is_refused(study, root, tmp_path, experiment, changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        train_run(make_run(study, root, tmp_path, experiment, **changes))


def test_a_run_of_the_repository_trains_and_is_scored(tmp_path):
    plain, = find_experiments(['plain']).values()
    options = ('train_dataloader.dataset.first=None', 'train_dataloader.batch_size=4')
    record = train_run(Run(experiment='plain', config='configs/duet/transvg_duet_refshapes.py', patches=(str(SETTING), *plain),
                             seed=0, steps=3, options=options, data_root=str(make_data_root(tmp_path / 'data', count=8)),
                             work_dir=str(tmp_path), out=str(tmp_path / 'runs.jsonl')))
    assert (record['steps'], record['config'], record['patches']) == (3, 'transvg_duet_refshapes.py', ['refshapes', 'plain'])
    assert {'acc@0.5', 'found', 'tight'} <= record['val'].keys()


@pytest.mark.parametrize('student', ['transvg', 'vltvg', 'qrnet', 'clip_vg'])
def test_experiments_on_refshapes_have_the_same_student_data_and_budget(root, tmp_path, student):
    found = {}
    names = ['plain', 'plain_longer', 'full', 'untrained_teacher', 'full_box_gradient']
    for experiment, patches in find_experiments(names).items():
        cfg = resolve(Run(experiment=experiment, config=f'configs/duet/{student}_duet_refshapes.py',
                          patches=(str(SETTING), *patches), seed=0, work_dir=str(tmp_path), out='o', data_root=str(root)))
        plain = found.setdefault('plain', cfg)
        found[experiment] = cfg
        assert cfg.budget == 6000
        assert cfg.model.get('student', cfg.model) == plain.model
        assert cfg.train_dataloader == plain.train_dataloader
        assert cfg.param_scheduler[-1].end == cfg.train_cfg.max_iters == round(6000 * cfg.ablation.budget_factor)
    assert found['plain_longer'].train_cfg.max_iters == 6780
    # The cache holds what the trained teacher gave.
    assert found['untrained_teacher'].model.teacher.teacher.type.__name__ == 'CLIPTeacher'
    assert found['full'].model.teacher.type == 'mmduet.CachedTeacher'
    drop_pretrained(found['full_box_gradient'])
    found['full_box_gradient'].model.teacher = found['full_box_gradient'].model.teacher.teacher
    head = MODELS.build(found['full_box_gradient'].model).head
    assert type(head.terms['contrast'].anchor).__module__ == 'projects.ablation.box_gradient_anchor'


def test_experiments_on_objects_with_parts_have_their_own_teacher_data_and_labels(root, tmp_path):
    setting = str(SETTING.with_name('refshapes_parts.py'))
    expected = {'full': 'DenseContrastTerm', 'ranked': 'RankedContrastTerm', 'labels_by_product': 'ProductContrastTerm',
                'labels_by_product_exact': 'ProductContrastTerm', 'hard_by_semantics': 'HardContrastTerm',
                'hard_uninformed': 'HardContrastTerm', 'ranked_warmup': 'RankedContrastTerm',
                'ranked_patch_regions': 'RankedContrastTerm', 'averaged_regions': 'AveragedRegionsTerm',
                'contrast_even': 'EvenDenseContrastTerm', 'contrast_location': 'DenseContrastTerm'}
    for experiment, patches in find_experiments(list(expected)).items():
        cfg = resolve(Run(experiment=experiment, config='configs/duet/transvg_duet_refshapes.py', patches=(setting, *patches),
                          seed=0, work_dir=str(tmp_path), out='o', data_root=str(root)))
        contrast, teacher = cfg.model.head.terms.contrast, cfg.model.teacher
        kind = contrast.type
        assert getattr(kind, '__name__', str(kind).rpartition('.')[2]) == expected[experiment]
        assert contrast.get('informed', True) == (experiment != 'hard_uninformed')
        assert contrast.get('semantics_weight', 1) == (experiment != 'contrast_location')
        assert cfg.model.head.warmup_steps == 300 * (experiment == 'ranked_warmup')
        if experiment.endswith('exact'):
            assert teacher.type == 'projects.ablation.control_teachers.ExactMapTeacher'
            teacher = teacher.teacher
        patches = experiment == 'ranked_patch_regions'
        assert teacher.cache == f'data/teacher_cache/{"clip_tiny_refshapes_patches" if patches else "clip_parts"}'
        assert teacher.teacher.pretrained == 'data/clip_parts.safetensors'
        assert cfg.model.student.pretrained == 'data/encoder_parts.safetensors'
        assert cfg.optim_wrapper.optimizer.lr == 5e-4


def test_objects_with_parts_are_studied_with_the_other_box_head_too(root, tmp_path):
    found = {}
    for name in ('refshapes_parts', 'refshapes_parts_box_head'):
        found[name] = resolve(Run(experiment='full', config='configs/duet/transvg_duet_refshapes.py',
                                  patches=(str(SETTING.with_name(f'{name}.py')), ), seed=0, work_dir=str(tmp_path), out='o',
                                  data_root=str(root)))
    student = found['refshapes_parts'].model.student
    assert found['refshapes_parts_box_head'].model.student.pop('box_head') == dict(type='BoxHead')
    assert student.pop('box_head').type.__name__ == 'ReferenceBoxHead'
    assert found['refshapes_parts_box_head'].model == found['refshapes_parts'].model


def test_distilled_groups_keep_the_weight_that_they_were_recorded_with(root, tmp_path):
    cfg = resolve(Run(experiment='full', config='configs/duet/vltvg_duet_refshapes.py', seed=0, work_dir=str(tmp_path), out='o',
                      patches=(str(SETTING.with_name('refshapes_groups.py')), ), data_root=str(root)))
    drop_pretrained(cfg)
    cfg.model.teacher = cfg.model.teacher.teacher
    assert MODELS.build(cfg.model).head.weight == 1.0


def test_a_distilled_run_says_how_its_anchors_choose_among_the_annotated_boxes(study, tmp_path):
    shown = [tiny_data.line(expression_id=f'{split}{k}', split=split) for split in ('train', 'val') for k in range(4)]
    objects = [{'image_id': 1, 'boxes': [[4.5, 5.25, 20.0, 25.5], [22.0, 5.0, 36.0, 20.0]]}]
    root = tiny_data.make_data_root(tmp_path / 'data', shown, objects)
    run = make_run(study, root, tmp_path, 'short', config='tests/tiny_cached_config.py')
    record = train_run(replace(run, patches=(*find_experiments(['ranked'])['ranked'], *run.patches)))
    assert record['val']['chosen'] in (0.0, 100.0)  # four times the same
    assert -1 <= record['anchor_cosine'] <= 1
