import pytest
import torch

from mmduet.engine import CheckpointError
from mmduet.engine.saving import collect_checkpoint, copy_to_host
from tests.engine.tiny_runs import begin
from tests.tiny_grounder import make_data_root


def test_a_copy_shares_nothing_with_the_training_and_keeps_what_is_shared():
    weight = torch.arange(4.0)
    state = torch.nn.BatchNorm1d(2).state_dict()
    copied = copy_to_host({'a': weight, 'b': [weight, (weight[:2], 'x')], 'c': state})
    weight.zero_()
    assert copied['a'].tolist() == [0, 1, 2, 3] and copied['b'][0] is copied['a']
    assert copied['b'][1][0].tolist() == [0, 1] and copied['b'][1][1] == 'x'
    assert copied['c']._metadata == state._metadata and list(copied['c']) == list(state)


def test_copies_that_are_there_already_are_used_again():
    weight, copies = torch.arange(4.0), {}
    first = copy_to_host(weight, copies)
    assert copy_to_host([weight], copies)[0] is first and copy_to_host(weight) is not first


@pytest.fixture(scope='module')
def runner(tmp_path_factory):
    """One between two updates: a step of two has made its gradients."""
    folder = tmp_path_factory.mktemp('tiny')
    runner = begin(folder / 'work', make_data_root(folder / 'data', count=4), optim_wrapper__accumulative_counts=2,
                   pretrain_excludes=['refcoco_unc'])
    runner.plain_model.norm.bias.grad = torch.arange(8.0)
    runner.optim_wrapper._inner_count = 1
    return runner


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('schedulers', [True, False])
def test_a_checkpoint_holds_the_state_that_is_asked_for(runner, training, schedulers):
    found = collect_checkpoint(runner, 'a.pth', {'epoch': 3, 'iter': 7, 'best': {'miou': 0.5}}, training, schedulers)
    assert found.keys() == {'meta', 'state_dict', 'message_hub', 'random_states', *['param_schedulers'] * schedulers,
                            *['optimizer', 'hooks', 'gradients'] * training}
    meta = found['meta']
    assert (meta['epoch'], meta['iter'], meta['best']) == (3, 7, {'miou': 0.5})
    assert (meta['run'], meta['batches_per_epoch'], meta['world_size']) == (runner.run_id, 2, 1)
    assert meta['pretrain_excludes'] == ['refcoco_unc'] and meta['vocabulary'] is None and not meta['owes_validation']
    weight = runner.plain_model.box_head.weight
    assert torch.equal(found['state_dict']['box_head.weight'], weight)
    assert found['state_dict']['box_head.weight'].data_ptr() != weight.data_ptr()
    if training:
        assert found['gradients'][0]['norm.bias'].tolist() == list(range(8)) and len(found['gradients'][0]) == 1


def test_after_an_update_no_gradients_are_kept(runner):
    runner.optim_wrapper._inner_count = 2
    assert 'gradients' not in collect_checkpoint(runner, 'a.pth', {})
    runner.optim_wrapper._inner_count = 1


def test_other_ranks_collect_nothing(runner):
    runner._rank = 1
    assert collect_checkpoint(runner, 'a.pth', {}) is None
    runner._rank = 0


def test_weights_that_are_not_finite_are_refused_by_their_name(runner):
    weight = runner.plain_model.box_head.weight
    with torch.no_grad():
        kept = weight[0, 0].item()
        weight[0, 0] = float('inf')
        with pytest.raises(CheckpointError, match=r'box_head\.weight holds NaN or infinite .* best\.pth was not written'):
            collect_checkpoint(runner, 'best.pth', {}, training=False, schedulers=False)
        weight[0, 0] = kept
