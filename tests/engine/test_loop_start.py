"""What training, validation and test are given before their first step."""
import pytest
import torch
from mmengine.hooks import Hook

from mmduet.engine.console import watch_console
from mmduet.engine.loop_start import start_loop
from mmduet.models.distill import DUETHead
from mmduet.registry import RUNNERS
from tests.engine.tiny_runs import begin, train, train_distilled
from tests.forking import run_ranks
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


class Masks(Hook):
    """Writes, for each rank, the elements that the tiny grounder dropped, the weights before them and the samples."""

    def before_train(self, runner):
        model, self.masks = runner.plain_model, []
        self.first = {name: value.clone() for name, value in model.state_dict().items()}
        model.drop.register_forward_hook(lambda drop, _, output: self.masks.append(output == 0) if drop.training else None)
        self.names = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.names.append([sample.expression_id for sample in data_batch['data_samples']])

    def after_train(self, runner):
        path = f'{runner.work_dir}/drawn_{runner.rank}_of_{runner.world_size}_at_{runner.iter}.pt'
        torch.save({'masks': torch.stack(self.masks), 'first': self.first, 'names': self.names}, path)


def _train_on_rank(work, root, changes):
    train(work, root, Masks(), train_cfg__max_epochs=1, train_dataloader__batch_size=1, param_scheduler=[],
          launcher='pytorch', **changes)


def drawn(work, root, ranks=2, at=6, **changes):
    """What each rank of a training of an epoch drew."""
    done = run_ranks(ranks, _train_on_rank, work, root, changes)
    assert [rank.returncode for rank in done] == [0] * ranks, done[0].stderr[-2000:] + done[-1].stderr[-2000:]
    return [torch.load(work / f'drawn_{rank}_of_{ranks}_at_{at}.pt') for rank in range(ranks)]


@pytest.fixture(scope='module')
def two(root, tmp_path_factory):
    return drawn(tmp_path_factory.mktemp('two'), root)


def test_no_two_ranks_drop_the_same_elements_and_their_first_weights_are_alike(two):
    first, second = two
    assert not torch.equal(first['masks'][0], second['masks'][0])
    assert 0.4 < (first['masks'] == second['masks']).float().mean() < 0.9  # 0.2 of each: 0.68 where they are independent
    assert all(torch.equal(value, second['first'][name]) for name, value in first['first'].items())
    assert sorted(name for rank in two for step in rank['names'] for name in step) == sorted(f'train{n}' for n in range(12))


def test_the_first_rank_draws_as_a_training_on_one_process_does(root, tmp_path, two):
    one, = drawn(tmp_path / 'launched', root, ranks=1, at=12)
    train(tmp_path, root, Masks(), train_cfg__max_epochs=1, train_dataloader__batch_size=1, param_scheduler=[])
    alone = torch.load(tmp_path / 'drawn_0_of_1_at_12.pt')
    assert torch.equal(one['masks'], alone['masks']) and torch.equal(two[0]['masks'][0], alone['masks'][0])
    assert [step[0] for step in alone['names']] == [name for steps in zip(*(rank['names'] for rank in two), strict=True)
                                                    for step in steps for name in step]


def test_ranks_that_resume_drop_what_they_would_have_dropped(root, tmp_path, two):
    drawn(tmp_path, root, at=2, train_cfg__max_iters=2)
    resumed = drawn(tmp_path, root, resume=True)
    assert [torch.equal(rank['masks'], whole['masks'][2:]) for rank, whole in zip(resumed, two, strict=True)] == [True, True]


def test_a_config_may_seed_its_ranks_itself(root, tmp_path, two):
    first, second = drawn(tmp_path, root, randomness__diff_rank_seed=True)
    assert torch.equal(first['masks'][0], two[0]['masks'][0]) and not torch.equal(first['masks'], second['masks'])
