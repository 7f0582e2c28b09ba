"""Training on several expressions of an image at a time: the same run whether it is stopped or not."""
import json

import pytest
import torch
from torch.utils.data import BatchSampler

from mmduet.registry import DATA_SAMPLERS, RUNNERS
from tests.tiny_grounder import load_tiny_config, make_data_root

PER_IMAGE = 3


@DATA_SAMPLERS.register_module()
class TurningBatches(BatchSampler):
    """One of a user's own: the batches of every other epoch come in the opposite order."""

    epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __iter__(self):
        return iter(list(super().__iter__())[::(-1)**self.epoch])


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Twelve expressions about four images."""
    root = make_data_root(tmp_path_factory.mktemp('tiny') / 'data')
    path = root / 'annotations/train.jsonl'
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for number, line in enumerate(lines):
        line.update(image=f'train_{number // PER_IMAGE}.png', image_id=number // PER_IMAGE)
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    return root


def train(work, root, own=False, dealt=False, **changes):
    cfg = load_tiny_config(work, root, train_dataloader__batch_size=4, val_dataloader=None, val_evaluator=None, val_cfg=None,
                           **changes)
    cfg.default_hooks.checkpoint.pop('save_best')
    if not dealt:
        cfg.train_dataloader.sampler = dict(type='mmduet.ImageGroupSampler', expressions_per_image=PER_IMAGE)
    if own:
        cfg.train_dataloader.batch_sampler = dict(type='mmduet.TurningBatches',
                                                  drop_last=cfg.train_dataloader.pop('drop_last'))
    runner = RUNNERS.build(cfg)
    images = []
    runner.model.backbone.register_forward_pre_hook(lambda module, arguments: images.append(len(arguments[0])))
    runner.train()
    return runner, images, {name: value.clone() for name, value in runner.plain_model.state_dict().items()}


def test_a_batch_encodes_each_of_its_images_once_and_the_log_says_what_that_saves(root, tmp_path):
    runner, images, _ = train(tmp_path, root)
    # Batches of four out of groups of three: a group that a batch cuts is encoded in both.
    assert images == [2, 2, 2] * 2 and runner.iter == 6
    logged = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert ('expressions_per_image=3: TinyGrounder reads the words while it encodes an image, so that each expression has its '
            'own encoding; decoding and augmentation are shared, 4 views for 12 expressions') in logged


@pytest.mark.parametrize(('stop', 'own'), [(1, False), (2, False), (4, False), (5, False), (1, True), (5, True)])
def test_a_run_stopped_inside_a_group_and_resumed_equals_one_that_was_not(root, tmp_path, stop, own):
    _, images, whole = train(tmp_path / 'whole', root, own)
    assert len(images) == 6
    train(tmp_path / 'parts', root, own, train_cfg__max_iters=stop)
    torch.rand(3)
    runner, _, weights = train(tmp_path / 'parts', root, own, resume=True)
    assert runner.iter == 6
    assert (type(runner.train_dataloader.batch_sampler) is TurningBatches) == own
    assert all(torch.equal(weights[name], value) for name, value in whole.items())


@pytest.mark.parametrize(('changes', 'batch', 'restarts'), [
    (dict(), 2, True), (dict(own=True), 2, True), (dict(dealt=True), 2, False), (dict(dealt=True), 3, True)])
def test_an_epoch_begun_by_other_processes_goes_on_only_where_its_expressions_stay_the_same(root, tmp_path, changes, batch,
                                                                                            restarts):
    train(tmp_path, root, **changes, train_cfg__max_iters=1)
    saved = torch.load(tmp_path / 'iter_1.pth', weights_only=True)
    saved['meta'].update(world_size=2)
    saved['meta']['training']['train_dataloader.batch_size'] = str(batch)  # on each of two
    torch.save(saved, tmp_path / 'iter_1.pth')
    runner, images, _ = train(tmp_path, root, **changes, resume=True, resume_changed=True, train_cfg__max_epochs=1)
    assert (len(images), runner.iter) == ((3, 3) if restarts else (2, 3))
    text = ''.join(path.read_text() for path in tmp_path.glob('*/*.log'))
    assert ('and other data, batches or processes give other batches than those of its epoch: epoch 1 starts at its beginning, '
            'with 3 batches.' in text) == restarts
