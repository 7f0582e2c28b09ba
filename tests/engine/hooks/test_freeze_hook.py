import pytest
import torch

from mmduet.engine import FreezeHook
from mmduet.engine.hooks.freeze_hook import trainable_parameters
from mmduet.registry import MODELS, RUNNERS
from tests.run_tool import run_tool_on_ranks
from tests.shared_data import ROOT
from tests.tiny_grounder import load_tiny_config, make_data_root
from tests.tiny_vltvg import tiny_vltvg_config

HOOK = dict(type='mmduet.FreezeHook', parts=['backbone', 'text_encoder'], epochs=1)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=6)


def _train(root, folder, epochs, **changes):
    """Train and return the weights after each epoch, those before it first."""
    runner = RUNNERS.build(load_tiny_config(folder, root, train_cfg__max_epochs=epochs, custom_hooks=[HOOK], **changes))
    weights = [_copy(runner.plain_model)]
    run_epoch = runner.train_loop.run_epoch

    def and_remember(skipped):
        done = run_epoch(skipped)
        weights.append(_copy(runner.plain_model))
        return done

    runner.train_loop.run_epoch = and_remember
    runner.train()
    return weights


def _copy(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def _changed(before, after):
    return {name.split('.')[0] for name, value in after.items() if not torch.equal(value, before[name])}


def test_frozen_parts_rest_for_their_epochs_and_then_train(root, tmp_path):
    start, first, second = _train(root, tmp_path, 2)
    assert _changed(start, first) == {'norm', 'box_head'}
    assert _changed(first, second) == {'backbone', 'text_encoder', 'norm', 'box_head'}


@pytest.fixture(scope='module')
def whole(root, tmp_path_factory):
    return _train(root, tmp_path_factory.mktemp('whole'), 2)[-1]


@pytest.mark.parametrize('stop', [pytest.param(2, marks=pytest.mark.slow), 3, pytest.param(4, marks=pytest.mark.slow)])
def test_a_run_that_was_stopped_and_resumed_ends_in_the_same_weights(root, whole, tmp_path, stop):
    """Three steps an epoch: stopped inside the frozen epoch, at its end, and inside the one after."""
    _train(root, tmp_path, 2, train_cfg__max_iters=stop)
    resumed = _train(root, tmp_path, 2, resume=True)[-1]
    assert _changed(whole, resumed) == set()


def test_parts_are_found_in_a_distilled_student_and_what_was_frozen_stays_so():
    wrapper = torch.nn.Module()
    wrapper.student = MODELS.build(tiny_vltvg_config())
    wrapper.visual_encoder_of_another = torch.nn.Linear(1, 1)
    found = trainable_parameters(wrapper, ['visual_encoder', 'text_encoder'])
    names = {name for name, parameter in wrapper.named_parameters() if any(parameter is other for other in found)}
    assert {name.split('.')[1] for name in names} == {'visual_encoder', 'text_encoder'}
    assert not any('pooler' in name for name in names)


def test_two_ranks_train_as_one_before_and_after_the_release(tmp_path):
    root = make_data_root(tmp_path / 'data', count=8)
    ranks = run_tool_on_ranks(2, 'train', ROOT / 'tests/tiny_frozen_config.py', '--data-root', root, '--work-dir',
                              tmp_path / 'two', '--cfg-options', 'model.dropout=0.0')
    assert [rank.returncode for rank in ranks] == [0, 0], ranks
    first, second = (torch.load(tmp_path / f'two/rank_{rank}_of_2.pt', weights_only=True) for rank in range(2))
    assert _changed(first, second) == set()
    _, frozen, one = _train(root, tmp_path / 'one', 2, model__dropout=0.0, train_dataloader__batch_size=4)
    assert all(torch.allclose(value, first[name], atol=1e-5) for name, value in one.items())
    # The released backbone moves by 1e-4 a step, and by nothing if the ranks had not noticed.
    assert not torch.allclose(frozen['backbone.weight'], first['backbone.weight'], atol=5e-5)


def test_a_part_that_does_not_exist_is_refused(root, tmp_path):
    hook = dict(type='mmduet.FreezeHook', parts=['backbone', 'bert'], epochs=1)
    runner = RUNNERS.build(load_tiny_config(tmp_path, root, custom_hooks=[hook]))
    with pytest.raises(ValueError, match="TinyGrounder has no trainable parameter in a part called 'bert'"):
        runner.train()


@pytest.mark.parametrize(('parts', 'epochs'), [('backbone', 1), ([], 1), (['backbone'], -1)])
def test_impossible_arguments_are_refused(parts, epochs):
    with pytest.raises(ValueError, match='parts must be a list of names'):
        FreezeHook(parts, epochs)
