import re
from argparse import Namespace

import pytest
import torch

from mmduet.datasets import ImageGroupSampler
from mmduet.engine.config_tools import load_config
from mmduet.engine.hooks.runtime_info_hook import GroundingRuntimeInfoHook, describe_failure, describe_sharing, expression_ids
from mmduet.models.distill import RelationTerm
from mmduet.registry import MODELS, RUNNERS
from tests.distill_batch import make_space
from tests.engine.tiny_runs import train
from tests.tiny_grounder import load_tiny_config, make_data_root


@pytest.fixture(scope='module')
def runner(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tiny')
    runner = RUNNERS.build(load_tiny_config(folder / 'work', make_data_root(folder / 'data', count=12),
                                            default_hooks__logger__interval=4, train_cfg__max_epochs=1))
    runner.train()
    return runner


def test_every_step_is_in_the_history_although_losses_are_copied_rarely(runner):
    log, count = runner.message_hub.get_scalar('train/loss').data
    assert len(log) == 6
    assert count.tolist() == [1] * 6
    assert log.tolist() == runner.message_hub.get_scalar('train/loss_bbox').data[0].tolist()


def test_losses_stay_on_their_device_between_the_logs(runner):
    hook = next(hook for hook in runner.hooks if isinstance(hook, GroundingRuntimeInfoHook))
    hook.before_train(runner)
    before = len(runner.message_hub.get_scalar('train/loss').data[0])
    runner.train_loop._iter = 0
    values = {'loss': torch.tensor(2.0), 'loss_bbox': torch.tensor(2.0), 'loss_none': torch.tensor(0.0)}
    hook.after_train_iter(runner, 0, {}, values)
    assert len(runner.message_hub.get_scalar('train/loss').data[0]) == before
    hook.before_collect_checkpoint(runner)
    assert runner.message_hub.get_scalar('train/loss').current() == 2.0


def test_the_norm_of_clipped_gradients_is_logged_for_every_update(tmp_path):
    root = make_data_root(tmp_path / 'data', count=12)
    runner = train(tmp_path / 'work', root, train_cfg__max_epochs=1, default_hooks__logger__interval=4,
                   optim_wrapper__clip_grad=dict(max_norm=0.1), optim_wrapper__accumulative_counts=2)
    log, count = runner.message_hub.get_scalar('train/grad_norm').data
    assert len(log) == 3 and count.tolist() == [1] * 3 and (log > 0).all()
    assert re.search(r'grad_norm: \d', next((tmp_path / 'work').glob('*/*.log')).read_text())


def test_what_a_term_keeps_of_its_first_call_is_logged_once_with_the_losses(runner, monkeypatch):
    said, term = [], RelationTerm(make_space())
    term.facts['target over 64 regions, nats from uniform'] = torch.tensor(2.345)
    runner.model.add_module('relation', term)
    monkeypatch.setattr(runner.logger, 'info', said.append)
    hook = GroundingRuntimeInfoHook()
    hook.before_train(runner)
    for _ in range(2):
        hook.after_train_iter(runner, 0, {}, {'loss': torch.tensor(2.0)})
        hook.before_collect_checkpoint(runner)
    del runner.model.relation
    assert said == ['relation: target over 64 regions, nats from uniform 2.35']


class Lettered:
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def image_of(self, index):
        return self.images[index]

    def set_epoch(self, epoch):
        pass

    set_seed = set_epoch


@pytest.mark.parametrize(('reads', 'told'), [
    (False, 'expressions_per_image=2: an image is encoded once for up to 2 expressions, 3 times an epoch instead of 5 '
            '(1.67 expressions each)'),
    (True, 'expressions_per_image=2: Namespace reads the words while it encodes an image, so that each expression has its own '
           'encoding; decoding and augmentation are shared, 3 views for 5 expressions')])
def test_what_shared_images_save_is_told_by_what_the_student_reads(reads, told):
    sampler = ImageGroupSampler(Lettered('aabbb'), expressions_per_image=2, seed=0)
    assert describe_sharing(sampler, Namespace(visual_reads_text=reads)) == told


def test_the_history_is_bounded(runner):
    assert runner.message_hub.get_scalar('train/loss').max_length == 2000


def test_a_failure_names_step_terms_and_the_first_ids():
    text = describe_failure(['loss', 'loss_bbox'], [float('nan'), 0.51234], 7, [str(n) for n in range(10)])
    assert text == ('the loss is not finite at step 7 (loss nan, loss_bbox 0.5123); expressions of the batch: 0, 1, 2, 3, 4, '
                    '5, 6, 7 and 2 more. Training stops; the checkpoints before this step are kept')


def test_a_batch_without_samples_has_no_ids():
    assert expression_ids({'inputs': 1}) == []
    assert expression_ids([1]) == []


def test_targets_of_a_teacher_that_are_not_in_their_units_are_warned_of_once(runner, monkeypatch):
    said = []
    model = MODELS.build(load_config('configs/duet/transvg_duet_refshapes.py').model)
    model.target_facts['teacher'] = {'text': torch.tensor(4.0), 'logit_scale': torch.tensor(20.0)}
    hook = GroundingRuntimeInfoHook()
    hook.before_train(runner)
    monkeypatch.setattr(runner, 'model', model)
    monkeypatch.setattr(runner.logger, 'warning', said.append)
    for _ in range(2):
        hook.after_train_iter(runner, 0, {}, {'loss': torch.tensor(2.0)})
        hook.before_collect_checkpoint(runner)
    assert said == ['CLIPTeacher gave text embeddings whose norm is not 1 but off by 4: divide by it (F.normalize), or losses '
                    'mean something else']
