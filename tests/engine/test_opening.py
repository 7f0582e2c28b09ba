"""The lines before the first loss, each with what it depends on; of real trainings that are about to make their first step."""
import re
from pathlib import Path

import pytest
import torch
from mmengine.hooks import EMAHook
from torch import nn

from mmduet import __version__
from mmduet.engine.opening import count, describe_accumulation, describe_empty_head, describe_losses, describe_run, log_file
from mmduet.engine.version import commit
from mmduet.models.losses import BoxLoss
from mmduet.models.score_heads import IoUScoreHead
from mmduet.registry import MODELS
from tests.engine.tiny_runs import begin, train
from tests.tiny_grounder import make_data_root
from tests.tiny_transvg import tiny_transvg_config


class OwnAverage(EMAHook):
    """A user's."""


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4)


def said(runner):
    """What is said of a run, by the first word of its line."""
    return dict(line.split(': ', 1) for line in describe_run(runner)[1:-1])


def test_a_plain_training_is_described_in_ten_lines(root, tmp_path):
    runner = begin(tmp_path, root, train_cfg__max_epochs=1, auto_scale_lr=dict(enable=True, base_batch_size=8),
                   default_hooks__checkpoint__save_best='miou')
    assert describe_run(runner) == [
        f'mmduet {__version__} (commit {commit()}), PyTorch {torch.__version__}, config {runner.cfg.filename}',
        'Data: 4 expressions of tiny train; validated every epoch on 4 expressions of tiny val',
        'Model: TinyGrounder, 2,108 parameters trained, 0 frozen',
        "Losses: TinyGrounder's own",
        'Weights: random: backbone, text_encoder, norm, box_head',
        'Steps: 1 process x 2 expressions = 2 expressions an update; 2 steps in 1 epoch of 2',
        'Rate: AdamW, 0.0025 and 0.00025 (0.01 for 8 expressions an update, times 0.25 for what it sees); MultiStepLR',
        'Device: cpu (1 thread), float32, seed 0',
        'Checkpoints: every epoch and every 5 minutes; the last 2 are kept, and the best by miou',
        f'Everything goes to {runner.work_dir}; config, environment and all lines to '
        f'{runner.log_dir}/{runner.timestamp}.log']
    assert log_file(runner) == Path(runner.log_dir) / f'{runner.timestamp}.log' and log_file(runner).is_file()
    object.__setattr__(runner.cfg, '_filename', None)  # which would be a key of the config otherwise
    assert describe_run(runner)[0].endswith(', config made by a program')


NO_VALIDATION = dict(val_dataloader=None, val_cfg=None, val_evaluator=None, default_hooks__checkpoint__save_best=None)
AVERAGE = 'cpu (1 thread), float32, a moving average of the weights is validated and saved, seed 0'


@pytest.mark.parametrize(('changes', 'line', 'text'), [
    (NO_VALIDATION, 'Data', '4 expressions of tiny train; no validation'),
    (dict(train_cfg__val_interval=3), 'Data',
     '4 expressions of tiny train; validated every 3 epochs on 4 expressions of tiny val'),
    (dict(optim_wrapper__accumulative_counts=2, train_cfg__max_iters=1), 'Steps',
     '1 process x 2 expressions x 2 accumulated steps = 4 expressions an update; '
     '4 steps in 2 epochs of 2, stopped after 1; the schedule is that of all'),
    ({}, 'Rate', 'AdamW, 0.01 and 0.001; MultiStepLR'),
    (dict(param_scheduler=[]), 'Rate', 'AdamW, 0.01 and 0.001; no schedule'),
    (dict(auto_scale_lr=dict(enable=False, base_batch_size=8)), 'Rate',
     'AdamW, 0.01 and 0.001 (for 8 expressions an update, and not scaled: auto_scale_lr is off); MultiStepLR'),
    (dict(auto_scale_lr=dict(enable=False, base_batch_size=2)), 'Rate',
     'AdamW, 0.01 and 0.001 (for 2 expressions an update); MultiStepLR'),
    (dict(optim_wrapper__type='mmduet.MixedPrecisionOptimWrapper', optim_wrapper__dtype='bf16', randomness__seed=7), 'Device',
     'cpu (1 thread), bfloat16, seed 7'),
    (dict(custom_hooks=[dict(type='EMAHook')]), 'Device', AVERAGE),
    (dict(custom_hooks=[dict(type=OwnAverage)]), 'Device', AVERAGE),
    (dict(default_hooks__checkpoint=None), 'Checkpoints', 'none are written'),
    (dict(default_hooks__checkpoint=dict(_delete_=True, type='CheckpointHook')), 'Checkpoints', 'CheckpointHook')])
def test_each_line_says_what_the_config_asks_for(root, tmp_path, changes, line, text):
    assert said(begin(tmp_path, root, **changes))[line] == text


@pytest.mark.parametrize(('options', 'text'), [
    (dict(interval=3, minutes=None, max_keep_ckpts=-1, save_best=None), 'every 3 epochs; all are kept'),
    (dict(iter_interval=1000, minutes=0.5, max_keep_ckpts=3, save_best='acc@0.5'),
     'every epoch and every 1,000 steps and every 0.5 minutes; the last 3 are kept, and the best by acc@0.5'),
    (dict(iter_interval=1, minutes=1, save_best=None), 'every epoch and every step and every minute; the last 2 are kept')])
def test_every_option_of_checkpoints_is_said(root, tmp_path, options, text):
    changes = {f'default_hooks__checkpoint__{name}': value for name, value in options.items()}
    assert said(begin(tmp_path, root, **changes))['Checkpoints'] == text


def test_a_training_without_epochs_is_counted_in_steps(root, tmp_path):
    loop = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=2000, val_interval=1000)
    found = said(begin(tmp_path, root, train_cfg=loop, default_hooks__checkpoint__iter_interval=500, param_scheduler=[],
                       train_dataloader__sampler=dict(_delete_=True, type='InfiniteSampler')))
    assert found['Data'] == '4 expressions of tiny train; validated every 1,000 steps on 4 expressions of tiny val'
    assert found['Steps'] == '1 process x 2 expressions = 2 expressions an update; 2,000 steps'
    assert found['Checkpoints'] == ('at the end and every 500 steps and every 5 minutes; the last 2 are kept, and the best by '
                                    'acc@0.5')


def test_where_the_weights_are_from(root, tmp_path):
    train(tmp_path / 'first', root, train_cfg__max_iters=1)
    file = f'{tmp_path}/first/iter_1.pth'
    assert said(begin(tmp_path / 'first', root, resume=True))['Weights'] == f'resumed at step 1 from {file}'
    assert said(begin(tmp_path / 'second', root, load_from=file))['Weights'] == f'loaded from {file}'
    runner = begin(tmp_path / 'third', root)
    model = runner.plain_model
    model.backbone.init_cfg = dict(type='Pretrained', checkpoint='torchvision://resnet50')
    model.loaded_from = {'text_encoder': 'bert.safetensors', 'norm': 'bert.safetensors'}
    bert = 'text_encoder, norm from bert.safetensors; backbone from torchvision://resnet50'
    assert said(runner)['Weights'] == f'{bert}; random: box_head'
    runner.cfg.model.pretrained = 'bert.safetensors'
    assert said(runner)['Weights'] == f'{bert}; random: box_head'
    runner.cfg.model.pretrained = 'whole.safetensors'
    assert said(runner)['Weights'] == f'{bert}; from whole.safetensors'


def test_a_distilled_student_is_described_with_teacher_and_terms(root, tmp_path):
    runner = begin(tmp_path, root, distilled=True, model__head__weight=0.5, model__head__warmup_steps=1000,
                   optim_wrapper__accumulative_counts=2)
    found, terms = said(runner), runner.plain_model.head.terms
    assert re.fullmatch(r'TinyGrounder distilled by DUETHead, [\d.,]+( M)? parameters trained, [\d.,]+( M)? frozen; '
                        r'teacher CLIPTeacher \([\d.,]+( M)?, frozen\)', found['Model']), found['Model']
    assert list(terms) == ['image', 'region', 'text', 'relation', 'contrast']
    assert found['Losses'] == ("TinyGrounder's own; image 0.5, region 0.5, text 0.5, relation 0.5, contrast 0.5 "
                               '(growing over 1,000 updates)')
    assert found['Steps'].endswith(' = 4 expressions an update; 4 steps in 2 epochs of 2')
    assert found['Weights'] == ('random: backbone, text_encoder, norm, box_head; teacher from '
                                'mmduet/refshapes/tiny_clip/clip_tiny_refshapes.safetensors')


BANK = '--cfg-options model.head.terms.relation.bank=True joins those'
ALONE = 'relation compares the {} expressions of a step, not the {} of an update, as one large batch would: ' + BANK


@pytest.mark.parametrize(('gather', 'processes', 'expected'), [
    (True, 1, ALONE.format(2, 6)), (True, 4, ALONE.format(8, 24)), (False, 4, ALONE.format(2, 6))])
def test_a_relation_of_accumulated_steps_warns_of_what_it_compares(root, tmp_path, gather, processes, expected):
    runner = begin(tmp_path, root, distilled=True, model__head__terms__relation__gather=gather,
                   optim_wrapper__accumulative_counts=3)
    if (gather, processes) == (True, 1):
        written = [line for line in log_file(runner).read_text().splitlines() if line.endswith(expected)]
        assert len(written) == 1 and ' - WARNING - ' in written[0]
    runner._world_size = processes
    assert describe_accumulation(runner) == [expected]


@pytest.mark.parametrize(('changes', 'expected'), [
    (dict(distilled=True), []), (dict(optim_wrapper__accumulative_counts=3), []),
    (dict(distilled=True, model__head__terms__relation__bank=True, optim_wrapper__accumulative_counts=3), []),
    (dict(distilled=True, model__head__terms__relation=None, optim_wrapper__accumulative_counts=2,
          model__head__terms__contrast=dict(_delete_=True, type='mmduet.RegionContrastTerm', gather=True)),
     ['contrast takes negatives of other images from the 2 expressions of a step, not from the 4 of an update, as one large '
      'batch would: no option joins those'])])
def test_only_terms_that_differ_from_those_of_one_large_batch_are_warned_of(root, tmp_path, changes, expected):
    assert describe_accumulation(begin(tmp_path, root, **changes)) == expected


def test_losses_are_named_with_their_weights():
    model = MODELS.build(tiny_transvg_config(box_loss=dict(type=BoxLoss, l1_weight=5.0, giou_weight=2.0)))
    assert describe_losses(model) == 'BoxLoss, l1 5, giou 2'
    model.score_head = IoUScoreHead(32)
    assert describe_losses(model) == 'BoxLoss, l1 5, giou 2; IoUScoreHead'


@pytest.mark.parametrize(('numbers', 'text'), [
    ([], '0'), ([99_998, 1], '99,999'), ([100_000], '0.10 M'), ([12_000_000, 345_678], '12.35 M')])
def test_numbers_of_parameters_are_said_in_millions_where_there_are_many(numbers, text):
    parameters = [nn.Parameter(torch.empty(number, device='meta')) for number in numbers]
    assert count(parameters) == count(iter(parameters)) == text


def test_a_head_whose_terms_were_all_left_out_is_told(root, tmp_path):
    left_out = {f'model__head__terms__{name}': None for name in ('image', 'region', 'text', 'relation')}
    assert describe_empty_head(begin(tmp_path / 'some', root, distilled=True, **left_out).plain_model) == []
    runner = begin(tmp_path / 'none', root, distilled=True, **left_out, model__head__terms__contrast=None)
    assert 'WARNING - DUETHead has no term, so that nothing is distilled and the student is trained alone' in log_file(
        runner).read_text()
    assert describe_empty_head(MODELS.build(tiny_transvg_config())) == []
