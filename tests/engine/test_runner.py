import json

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmduet.apis.plain_config import ObjectWithoutText, parse_config_text
from mmduet.engine import CheckpointError, CheckpointMismatchError, GroundingRunner, NonFiniteLossError
from mmduet.models.cpu.linear import CPULinear
from mmduet.registry import RUNNERS
from tests.engine.tiny_runs import assert_equal, train_distilled, weights
from tests.tiny_grounder import load_tiny_config, make_data_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data')


def logged(work):
    return ''.join(path.read_text() for path in work.glob('*/*.log'))


def train(work, root, **changes):
    runner = RUNNERS.build(load_tiny_config(work, root, **changes))
    runner.train()
    return runner


def equal(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope='module')
def whole(root, tmp_path_factory):
    """A training of two epochs that nothing interrupted."""
    work = tmp_path_factory.mktemp('whole')
    return work, train(work, root)


def test_a_training_leaves_checkpoints_pictures_and_scalars(whole):
    work, _ = whole
    record = json.loads((work / 'checkpoints.json').read_text())
    assert record['kept'] == ['epoch_1.pth', 'epoch_2.pth']
    assert (work / record['best']['file']).is_file()
    assert (work / 'last_checkpoint').read_text() == str(work / 'epoch_2.pth')
    assert sorted(p.name for p in (work / 'pictures').iterdir()) == ['val_epoch_001.png', 'val_epoch_002.png']
    assert list(work.glob('*/vis_data/events.out.tfevents*'))
    lines = [json.loads(line) for line in next(work.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    assert [line['step'] for line in lines if 'train/loss' in line] == [2, 4, 6, 8, 10, 12]
    assert not list(work.glob('.*partial'))


def test_every_validation_says_whether_pretraining_saw_its_images(root, tmp_path):
    def said(name, **changes):
        train(tmp_path / name, root, train_cfg__max_epochs=1, **changes)
        text = next((tmp_path / name).glob('*/*.log')).read_text()
        return [line.rpartition(': ')[2] for line in text.splitlines() if 'expressions; val and test images of tiny' in line]
    assert said('a', pretrain_excludes=['tiny']) == ['yes']
    first = str(tmp_path / 'a' / 'epoch_1.pth')
    assert said('b', pretrain_excludes=['tiny'], load_from=first) == ['yes']
    assert said('c') == ['unknown']
    assert said('d', pretrain_excludes=['tiny'], load_from=str(tmp_path / 'c' / 'epoch_1.pth')) == ['unknown']
    assert torch.load(tmp_path / 'd' / 'epoch_1.pth', weights_only=True)['meta']['pretrain_excludes'] is None
    assert said('e', pretrain_excludes=[]) == ['no']


def test_our_checkpoints_load_with_weights_only_and_no_allow_list(whole):
    work, _ = whole
    checkpoint = torch.load(work / 'epoch_2.pth', weights_only=True)
    assert checkpoint['meta']['epoch'] == 2
    assert checkpoint['meta']['iter'] == 12
    assert checkpoint['meta']['batches_per_epoch'] == 6
    assert checkpoint['meta']['pretrain_excludes'] is None
    assert len(checkpoint['random_states']) == 1


@pytest.mark.parametrize('stop', [3, 6, 7])
def test_a_training_that_was_stopped_and_resumed_equals_one_that_was_not(whole, root, tmp_path, stop):
    first = train(tmp_path, root, train_cfg__max_iters=stop)
    assert first.iter == stop
    torch.rand(5)
    second = train(tmp_path, root, resume=True)
    assert second.iter == 12
    assert equal(weights(second), weights(whole[1]))


@pytest.mark.parametrize(('ranks', 'said'), [
    (2, 'Random states of 2 processes are not restored: now it is 1.'), (1, None), (0, None)])
def test_random_states_of_another_number_of_processes_are_left_out_and_that_is_said(root, tmp_path, ranks, said):
    train(tmp_path, root, train_cfg__max_iters=1)
    saved = torch.load(tmp_path / 'iter_1.pth', weights_only=True)
    saved['random_states'] *= ranks
    if not ranks:  # as of another program
        del saved['random_states']
    torch.save(saved, tmp_path / 'iter_1.pth')
    assert train(tmp_path, root, resume=True, train_cfg__max_iters=2).iter == 2
    assert ('Random states' in logged(tmp_path)) == (said is not None) and (said or '') in logged(tmp_path)


def test_a_stop_inside_an_epoch_is_saved_under_its_step(root, tmp_path):
    runner = train(tmp_path, root, train_cfg__max_iters=2, default_hooks__checkpoint__iter_interval=1)
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['iter_1.pth', 'iter_2.pth']
    assert runner.max_iters == 2
    assert not (tmp_path / 'pictures').exists()


def test_resuming_skips_a_truncated_checkpoint(whole, root, tmp_path):
    train(tmp_path, root)
    cut = tmp_path / 'epoch_2.pth'
    cut.write_bytes(cut.read_bytes()[:1000])
    runner = train(tmp_path, root, resume=True)
    assert 'epoch_2.pth is truncated or corrupt' in logged(tmp_path)
    assert equal(weights(runner), weights(whole[1]))


def test_a_folder_of_truncated_checkpoints_is_not_silently_started_anew(root, tmp_path):
    (tmp_path / 'epoch_1.pth').write_bytes(b'PK')
    with pytest.raises(CheckpointError, match=r'none of the checkpoints in .* can be read .*: remove them to start anew'):
        train(tmp_path, root, resume=True)


def test_resuming_in_an_empty_folder_starts_at_the_beginning(whole, root, tmp_path):
    assert equal(weights(train(tmp_path, root, resume=True)), weights(whole[1]))


def test_the_best_checkpoint_cannot_be_resumed_but_loaded(whole, root, tmp_path):
    best = str(next(whole[0].glob('best_*.pth')))
    with pytest.raises(CheckpointError, match=r'holds weights, not a state of training.*--load-from'):
        train(tmp_path / 'a', root, resume=True, load_from=best)
    runner = train(tmp_path / 'b', root, load_from=best, train_cfg__max_iters=1)
    assert runner.iter == 1


def test_the_checkpoint_of_another_model_is_refused(root, tmp_path):
    torch.save({'state_dict': {'backbone.weight': torch.ones(1)}}, tmp_path / 'other.pth')
    with pytest.raises(CheckpointMismatchError, match=r'6 missing \(backbone\.bias, .*1 of another shape \(backbone\.weight'):
        train(tmp_path / 'work', root, load_from=str(tmp_path / 'other.pth'))


def test_a_nan_loss_stops_training_with_step_and_ids_and_keeps_the_checkpoints(root, tmp_path):
    # Expression train3 is drawn in each epoch; NaN appears only after the first, which is clean.
    train(tmp_path, root, train_cfg__max_iters=6)
    sentence = (r'not finite at step \d+ \(loss nan, loss_bbox nan, loss_none nan\); expressions of the batch: '
                r'(train3, train\d+|train\d+, train3)\. Training stops')
    with pytest.raises(NonFiniteLossError, match=sentence):
        train(tmp_path, root, resume=True, resume_changed=True, model__poison='train3', default_hooks__logger__interval=50)
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['best_acc@0.5_epoch_1.pth', 'epoch_1.pth']


def test_weights_that_are_not_finite_are_not_written(root, tmp_path):
    runner = RUNNERS.build(load_tiny_config(tmp_path, root))
    with torch.no_grad():
        runner.plain_model.box_head.weight[0, 0] = float('nan')
    with pytest.raises(CheckpointError, match=r'box_head\.weight holds NaN .* so a\.pth was not written'):
        runner.save_checkpoint(str(tmp_path), 'a.pth')
    assert not (tmp_path / 'a.pth').exists()


def test_before_training_weights_alone_can_be_written(root, tmp_path):
    runner = RUNNERS.build(load_tiny_config(tmp_path, root))
    with pytest.raises(CheckpointError, match=r'a\.pth was not written: optimizer and schedulers are built when'):
        runner.save_checkpoint(str(tmp_path), 'a.pth')
    assert not (tmp_path / 'a.pth').exists()
    runner.save_checkpoint(str(tmp_path), 'a.pth', save_optimizer=False, save_param_scheduler=False)
    saved = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert 'optimizer' not in saved
    assert saved['state_dict'].keys() == weights(runner).keys()


def test_another_batch_size_restarts_the_epoch_and_says_so(root, tmp_path):
    train(tmp_path, root, train_cfg__max_iters=8)
    runner = train(tmp_path, root, resume=True, resume_changed=True, train_dataloader__batch_size=3)
    assert runner.iter == 8
    assert 'starts at its beginning, with 4 batches' in logged(tmp_path)


def test_a_deterministic_run_does_not_fill_memory(root, tmp_path):
    RUNNERS.build(load_tiny_config(tmp_path, root, randomness=dict(seed=1, deterministic=True)))
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(False)


def test_training_with_bf16_ema_and_accumulation_ends_with_finite_weights(root, tmp_path):
    runner = train(tmp_path, root, optim_wrapper__type='mmduet.MixedPrecisionOptimWrapper', optim_wrapper__dtype='bf16',
                   optim_wrapper__accumulative_counts=3, optim_wrapper__clip_grad=dict(max_norm=1.0),
                   custom_hooks=[dict(type='EMAHook', ema_type='MomentumAnnealingEMA')])
    assert all(torch.isfinite(value).all() for value in weights(runner).values())
    resumed = train(tmp_path, root, resume=True, resume_changed=True, train_cfg__max_epochs=3,
                    optim_wrapper__type='mmduet.MixedPrecisionOptimWrapper', optim_wrapper__dtype='bf16',
                    custom_hooks=[dict(type='EMAHook', ema_type='MomentumAnnealingEMA')])
    assert resumed.epoch == 3


def test_the_average_of_weights_is_what_is_saved_for_use(root, tmp_path):
    runner = train(tmp_path, root, custom_hooks=[dict(type='EMAHook', ema_type='MomentumAnnealingEMA')])
    saved = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)
    hook = next(hook for hook in runner.hooks if type(hook).__name__ == 'EMAHook')
    assert torch.equal(saved['state_dict']['box_head.weight'], hook.ema_model.module.box_head.weight)
    assert torch.equal(saved['ema_state_dict']['module.box_head.weight'], runner.plain_model.box_head.weight)


@pytest.mark.parametrize(('device', 'changes', 'kind'), [
    ('cpu', {}, CPULinear), ('cpu', {'optimise_for_cpu': False}, nn.Linear), ('cpu', {'compile': True}, nn.Linear),
    ('cuda', {}, nn.Linear)])
def test_a_model_is_optimised_for_a_cpu_where_it_runs_on_one_unless_told_otherwise(device, changes, kind, root, tmp_path,
                                                                                   monkeypatch):
    monkeypatch.setattr('mmduet.engine.device_setup.get_device', lambda: device)
    runner = RUNNERS.build(load_tiny_config(tmp_path, root, **changes))
    assert type(runner.model.box_head) is kind


@pytest.mark.parametrize('gpu', [False, True])
def test_batches_are_pinned_for_a_gpu_unless_the_config_says_otherwise(gpu, root, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    cfg = load_tiny_config(tmp_path, root)
    assert GroundingRunner.build_dataloader(cfg.train_dataloader).pin_memory is gpu
    for wanted in (False, True):
        assert GroundingRunner.build_dataloader({**cfg.train_dataloader, 'pin_memory': wanted}).pin_memory is wanted


def test_a_training_from_the_config_of_a_work_folder_begins_with_the_same_weights(root, tmp_path):
    first = train_distilled(tmp_path / 'first', root, train_cfg__max_iters=1, randomness__seed=3,
                            default_hooks__logger__interval=1)
    cfg = Config.fromfile(tmp_path / 'first/tiny_cached_config.py')
    assert list(cfg.model.head.terms) == ['image', 'region', 'text', 'relation', 'contrast']
    cfg.work_dir, cfg.experiment_name = str(tmp_path / 'again'), 'again from the work folder'
    again = RUNNERS.build(cfg)
    again.train()
    assert_equal(weights(first), weights(again))
    scalars = [[{name: value for name, value in json.loads(line).items() if 'loss' in name} for line in path.open()]
               for path in sorted(tmp_path.glob('*/*/vis_data/scalars.json'))]
    assert scalars[0] == scalars[1] and 'train/loss_contrast' in scalars[0][0]
    kept = parse_config_text(torch.load(tmp_path / 'again/iter_1.pth', weights_only=True)['meta']['cfg'], 'iter_1.pth')
    assert list(kept['model']['head']['terms']) == list(cfg.model.head.terms)


def test_an_object_that_no_text_can_hold_is_told_before_training(root, tmp_path):
    cfg = load_tiny_config(tmp_path, root, train_cfg__max_iters=1)
    cfg.note = dict(scale=abs)
    RUNNERS.build(cfg).train()
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert log.index('No text can hold note.scale (builtin_function_or_method) of the config') < log.index('Saving iter_1')
    keys = parse_config_text(torch.load(tmp_path / 'iter_1.pth', weights_only=True)['meta']['cfg'], 'iter_1.pth')
    assert keys['note']['scale'] == ObjectWithoutText('<built-in function abs>')
