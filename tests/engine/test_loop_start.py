"""What training, validation and test are given before their first step."""
import pytest
import torch

from mmduet.engine.console import watch_console
from mmduet.engine.loop_start import start_loop
from mmduet.models.distill import DUETHead
from mmduet.registry import RUNNERS
from tests.engine.tiny_runs import begin, train, train_distilled
from tests.tiny_grounder import load_tiny_config, make_data_root
from tests.tiny_transvg import tiny_transvg_config


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data')


def by_name(node):
    """A config with its classes named: MMEngine cannot print one that was put into a config later."""
    if isinstance(node, dict):
        return {key: by_name(value) for key, value in node.items()}
    return f'{node.__module__}.{node.__name__}' if isinstance(node, type) else node


def test_the_data_sets_of_all_loops_make_the_token_ids_of_the_model_and_the_losses_stay(root, tmp_path):
    size = {f'{loader}__dataset__pipeline__{step}': value for loader, first in (
        ('train_dataloader', 2), ('val_dataloader', 1), ('test_dataloader', 1))
        for step, value in ((f'{first}__sides', [64]), (f'{first + 1}__size', 64))}
    cfg = load_tiny_config(tmp_path, root, **size)
    cfg.model = by_name(tiny_transvg_config())
    cfg.train_dataloader.update(num_workers=1, persistent_workers=True)
    cfg.train_cfg.max_iters = 2
    runner = RUNNERS.build(cfg)
    runner.train()
    runner.val()
    runner.test()
    preprocessor = runner.plain_model.data_preprocessor
    for loader in (runner.train_dataloader, runner.val_dataloader, runner.test_dataloader):
        sample = loader.dataset[3]['data_samples']
        assert sample.token_ids == preprocessor.tokenizer.encode('red thing 3')
    data, losses = next(iter(runner.train_dataloader)), []
    for _ in range(2):
        torch.manual_seed(0)
        batch = preprocessor(data, training=True)
        losses.append({name: loss.item() for name, loss in runner.plain_model(**batch, mode='loss').items()})
        for sample in data['data_samples']:
            sample.set_metainfo({'token_ids': None})
    assert losses[0] == losses[1] and losses[0]['loss_bbox'] > 0


def test_a_training_from_weights_counts_its_own_updates_and_one_that_is_resumed_goes_on(root, tmp_path):
    train_distilled(tmp_path, root, train_cfg__max_iters=2)
    from_weights = begin(tmp_path / 'other', root, distilled=True, load_from=str(tmp_path / 'iter_2.pth'))
    resumed = begin(tmp_path, root, distilled=True, resume=True)
    assert (from_weights.plain_model.head.steps, resumed.plain_model.head.steps) == (0, 2)


def test_gradients_of_a_checkpoint_are_given_back_once(root, tmp_path):
    accumulated = dict(optim_wrapper__accumulative_counts=3)
    train(tmp_path, root, train_cfg__max_iters=4, **accumulated)
    kept, = torch.load(tmp_path / 'iter_4.pth', weights_only=True)['gradients']
    runner = begin(tmp_path, root, resume=True, **accumulated)
    found = {name: value.grad for name, value in runner.plain_model.named_parameters()}
    assert found.keys() == kept.keys() and all(torch.equal(found[name], kept[name]) for name in kept)
    assert any(value.abs().sum() > 0 for value in kept.values()) and runner.resumed_gradients is None
    runner.plain_model.zero_grad()
    start_loop(runner, 'train')
    assert all(value.grad is None for value in runner.plain_model.parameters())


@pytest.mark.parametrize(('calls', 'made', 'steps'), [(1, 5, [1, 2, 3]), (3, 0, [0, 0, 1]), (3, 4, [0, 1, 1])])
def test_a_head_counts_updates_from_where_training_goes_on(root, tmp_path, calls, made, steps):
    runner = begin(tmp_path, root, optim_wrapper__accumulative_counts=calls)
    runner.plain_model.head = head = DUETHead({}, channels=8, embed_dims={})
    runner.optim_wrapper._inner_count = made
    start_loop(runner, 'train')
    found = []
    for _ in steps:
        head.count_call()
        found.append(head.steps)
    assert found == steps


@pytest.mark.parametrize('name', ['val', 'test'])
def test_metrics_hear_which_data_pretraining_left_out(root, tmp_path, name):
    runner = RUNNERS.build(load_tiny_config(tmp_path, root, pretrain_excludes=['tiny']))
    metric, = getattr(runner, f'{name}_loop').evaluator.metrics
    assert metric.pretrain_excludes is None and watch_console(runner.logger).quiet
    start_loop(runner, name)
    assert metric.pretrain_excludes == ['tiny'] and not watch_console(runner.logger).quiet


def test_there_are_no_other_loops(root, tmp_path):
    runner = RUNNERS.build(load_tiny_config(tmp_path, root))
    with pytest.raises(AttributeError, match='predict_loop'):
        start_loop(runner, 'predict')
