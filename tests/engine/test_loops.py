import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from mmduet.datasets.grounding_dataset import tell
from mmduet.engine.loops import remaining_loader
from mmduet.registry import RUNNERS
from tests.tiny_grounder import load_tiny_config, make_data_root


class Counting(Dataset):
    """Numbers; remembers which were read."""

    def __init__(self):
        self.read = []
        self.epoch = None

    def __len__(self):
        return 10

    def __getitem__(self, index):
        self.read.append(index)
        return index

    def set_epoch(self, epoch):
        self.epoch = epoch


def test_the_rest_of_an_epoch_reads_nothing_of_what_was_seen():
    data = Counting()
    loader = DataLoader(data, batch_size=3, sampler=[9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    rest = remaining_loader(loader, 2)
    assert len(rest) == 2
    assert [batch.tolist() for batch in rest] == [[3, 2, 1], [0]]
    assert data.read == [3, 2, 1, 0]


def test_more_can_be_skipped_than_there_is():
    rest = remaining_loader(DataLoader(range(4), batch_size=2), 5)
    assert (list(rest), len(rest)) == ([], 0)


def test_the_epoch_reaches_a_wrapped_dataset():
    first, second = Counting(), Counting()
    tell(torch.utils.data.ConcatDataset([first, torch.utils.data.Subset(second, [0])]), 'set_epoch', 4)
    assert (first.epoch, second.epoch) == (4, 4)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=4)


def test_the_training_data_hears_of_every_epoch(root, tmp_path):
    runner = RUNNERS.build(load_tiny_config(tmp_path, root, train_cfg__max_epochs=3))
    seen = []
    runner.train_dataloader.dataset.set_epoch = seen.append
    runner.train()
    assert sorted(set(seen)) == [0, 1, 2]


def test_the_limit_of_steps_bounds_the_estimate_of_time(root, tmp_path):
    runner = RUNNERS.build(load_tiny_config(tmp_path, root, train_cfg__max_iters=3, train_cfg__max_epochs=50))
    assert runner.train_loop.max_iters == 3
    runner.train()
    assert runner.message_hub.get_info('eta') == 0


def test_a_limit_at_the_end_of_an_epoch_validates(root, tmp_path):
    runner = RUNNERS.build(load_tiny_config(tmp_path, root, train_cfg__max_iters=2, train_cfg__max_epochs=50))
    runner.train()
    assert (tmp_path / 'pictures/val_epoch_001.png').is_file()
    assert (tmp_path / 'epoch_1.pth').is_file()


def test_impossible_lengths_are_refused(root, tmp_path):
    for changes in ({'train_cfg__max_iters': 0}, {'train_cfg__max_epochs': 0}):
        with pytest.raises(ValueError, match='must be positive'):
            _ = RUNNERS.build(load_tiny_config(tmp_path, root, **changes)).train_loop


def test_data_that_give_no_batch_are_refused(root, tmp_path):
    runner = RUNNERS.build(load_tiny_config(tmp_path, root, train_dataloader__batch_size=5))
    with pytest.raises(ValueError, match='gives no batch: 4 expressions, 1 process, batches of 5'):
        _ = runner.train_loop
