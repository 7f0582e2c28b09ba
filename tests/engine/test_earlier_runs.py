import json
import logging

import pytest
import torch

from mmduet.engine.checkpoint import resume_candidates
from mmduet.engine.earlier_runs import set_aside, set_later_aside
from tests.engine.tiny_runs import begin, train
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


def checkpoint(path, steps, run='mine'):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({'meta': {'run': run, 'epoch': int('epoch_1' in path.name), 'iter': steps}, 'state_dict': {}}, path)


def test_a_training_that_goes_back_puts_its_later_checkpoints_aside(tmp_path, caplog):
    for name, steps, run in (('iter_2', 2, 'mine'), ('iter_4', 4, 'mine'), ('epoch_1', 6, 'mine'), ('iter_9', 9, 'other'),
                             ('best_miou_epoch_1', 6, 'mine'), ('best_miou_iter_2', 2, 'mine'), ('mine_of_old', 8, 'mine')):
        checkpoint(tmp_path / f'{name}.pth', steps, run)
    (tmp_path / 'iter_7.pth').write_bytes(b'cut')
    best = {'file': 'best_miou_epoch_1.pth', 'metric': 'miou', 'score': 1.0, 'epoch': 1}
    record = {'run': 'mine', 'kept': ['iter_4.pth', 'epoch_1.pth', 'iter_2.pth'], 'best': best, 'validated': 6}
    (tmp_path / 'checkpoints.json').write_text(json.dumps(record))
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_1.pth'))
    set_later_aside(tmp_path, 'mine', tmp_path / 'iter_4.pth', (0, 4), LOGGER)
    assert names(tmp_path / 'earlier') == ['best_miou_epoch_1.pth', 'epoch_1.pth']
    assert json.loads((tmp_path / 'checkpoints.json').read_text()) == {
        'run': 'mine', 'best': None, 'validated': None, 'kept': ['iter_4.pth', 'iter_2.pth']}
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'iter_4.pth')
    assert 'best_miou_epoch_1.pth, epoch_1.pth of its later steps moved to' in caplog.text
    left = names(tmp_path)
    set_later_aside(tmp_path, 'mine', tmp_path / 'iter_4.pth', (0, 4), LOGGER)  # nothing is left to do
    assert names(tmp_path) == left


def test_one_that_goes_back_to_a_copy_elsewhere_leaves_the_pointer_and_the_best_before(tmp_path):
    checkpoint(tmp_path / 'iter_4.pth', 4)
    checkpoint(tmp_path / 'best_miou_iter_2.pth', 2)
    best = {'file': 'best_miou_iter_2.pth', 'metric': 'miou', 'score': 1.0, 'epoch': 1}
    (tmp_path / 'checkpoints.json').write_text(json.dumps({'run': 'mine', 'kept': ['iter_4.pth'], 'best': best}))
    set_later_aside(tmp_path, 'mine', tmp_path / 'elsewhere/iter_2.pth', (0, 2), LOGGER)
    assert names(tmp_path) == ['best_miou_iter_2.pth', 'checkpoints.json', 'earlier/iter_4.pth']
    assert json.loads((tmp_path / 'checkpoints.json').read_text())['best'] == best


def test_after_going_back_a_training_resumes_what_was_trained_last(tmp_path):
    root, work = make_data_root(tmp_path / 'data', count=12), tmp_path / 'work'
    often = dict(default_hooks__checkpoint__iter_interval=2, default_hooks__checkpoint__max_keep_ckpts=-1,
                 default_hooks__checkpoint__save_best='miou')
    train(work, root, **often)
    train(work, root, resume=True, load_from=str(work / 'iter_2.pth'), train_cfg__max_iters=3, **often)
    assert [path.name for path in resume_candidates(work.resolve())] == ['iter_3.pth', 'iter_2.pth']
    assert 'epoch_2.pth' in names(work / 'earlier')
    assert train(work, root, resume=True, train_cfg__max_iters=4, **often).loaded_file == str(work / 'iter_3.pth')


def test_a_checkpoint_that_training_goes_back_to_stays_where_its_batches_are_others(tmp_path):
    root, work = make_data_root(tmp_path / 'data', count=12), tmp_path / 'work'
    often = dict(default_hooks__checkpoint__iter_interval=2, default_hooks__checkpoint__max_keep_ckpts=-1)
    before = train(work, root, **often)
    runner = begin(work, root, resume=True, resume_changed=True, load_from=str(work / 'epoch_1.pth'),
                   train_dataloader__batch_size=6, **often)
    assert runner.iter < len(before.train_dataloader)  # steps of this length begin to be counted anew
    assert 'epoch_1.pth' in names(work) and 'epoch_1.pth' not in names(work / 'earlier')
    assert 'epoch_2.pth' in names(work / 'earlier')


def test_after_an_epoch_of_fewer_steps_a_training_resumes_what_was_trained_last(tmp_path):
    root, work = make_data_root(tmp_path / 'data', count=12), tmp_path / 'work'
    train(work, root)
    larger = dict(resume=True, resume_changed=True, train_dataloader__batch_size=6, train_cfg__max_epochs=3)
    train(work, root, **larger)
    assert [path.name for path in resume_candidates(work.resolve())] == ['epoch_3.pth', 'epoch_2.pth']
    begin(work, root, load_from=str(work / 'epoch_2.pth'), **larger)
    assert 'epoch_3.pth' in names(work / 'earlier') and (work / 'epoch_2.pth').is_file()
