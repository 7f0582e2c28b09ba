import json
import logging

import pytest

from mmduet.engine.earlier_runs import set_aside
from tests.engine.tiny_runs import train
from tests.tiny_grounder import make_data_root

LOGGER = logging.getLogger('test')


def leave(folder, run='old'):
    """What a training leaves, its best checkpoint among it."""
    (folder / 'best_miou_epoch_1.pth').write_bytes(b'1')
    (folder / 'epoch_1.pth').write_bytes(b'2')
    best = {'file': 'best_miou_epoch_1.pth', 'metric': 'miou', 'score': 1.0, 'epoch': 1}
    (folder / 'checkpoints.json').write_text(json.dumps({'run': run, 'kept': ['epoch_1.pth'], 'best': best}))


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


def test_the_best_of_an_earlier_training_is_put_aside_and_nothing_is_lost(tmp_path, caplog):
    for _ in range(2):
        leave(tmp_path)
        set_aside(tmp_path, 'new', False, LOGGER)
    assert names(tmp_path) == ['earlier/best_miou_epoch_1.pth', 'earlier/best_miou_epoch_1_2.pth', 'earlier/checkpoints.json',
                               'earlier/checkpoints_2.json', 'epoch_1.pth']
    assert 'An earlier training left best_miou_epoch_1.pth' in caplog.text


@pytest.mark.parametrize(('run', 'resumed', 'moved'), [('new', True, False), ('old', True, True), ('new', False, True)])
def test_a_training_that_goes_on_keeps_its_own(tmp_path, run, resumed, moved):
    leave(tmp_path, run)
    set_aside(tmp_path, 'new', resumed, LOGGER)
    assert (tmp_path / 'earlier').exists() == moved


def test_a_folder_without_a_record_is_that_of_another_program_that_goes_on(tmp_path):
    leave(tmp_path)
    (tmp_path / 'checkpoints.json').unlink()
    set_aside(tmp_path, 'new', True, LOGGER)
    assert names(tmp_path) == ['best_miou_epoch_1.pth', 'epoch_1.pth']
    set_aside(tmp_path, 'new', False, LOGGER)
    assert names(tmp_path) == ['earlier/best_miou_epoch_1.pth', 'epoch_1.pth']


def test_two_trainings_into_one_folder_leave_one_best(tmp_path):
    root = make_data_root(tmp_path / 'data', count=4)
    for interval in (2, 1):
        train(tmp_path / 'work', root, train_cfg__max_epochs=interval, train_cfg__val_begin=interval,
              default_hooks__checkpoint__save_best='miou')
    assert [path.name for path in (tmp_path / 'work').glob('best_*.pth')] == ['best_miou_epoch_1.pth']
    assert json.loads((tmp_path / 'work/checkpoints.json').read_text())['best']['file'] == 'best_miou_epoch_1.pth'
