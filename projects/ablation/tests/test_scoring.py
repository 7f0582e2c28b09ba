import pytest

from projects.ablation.records import RunError, read_records
from projects.ablation.run import Run, train_run
from projects.ablation.scoring import ScoringJob, choose_splits, score_run
from projects.ablation.tests.tiny_study import write_study
from tests.tiny_grounder import make_data_root


@pytest.fixture(scope='module')
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp('run')
    root = make_data_root(folder / 'data', count=6, splits=('train', 'val', 'testA', 'testB', 'heldout'))
    config, _ = write_study(folder / 'experiments')
    run = Run(experiment='plain', config=str(config), seed=0, work_dir=str(folder / 'plain'),
                  data_root=str(root), out=str(folder / 'runs.jsonl'))
    return run, train_run(run)


def test_the_test_splits_of_the_data_are_found(kept):
    assert choose_splits(kept[0]) == (('heldout', 'testA', 'testB'), ('testA', 'testB'))
    assert choose_splits(kept[0], ['testB']) == (('testB', ), ())
    with pytest.raises(RunError, match='no test split testC, only heldout, testA, testB, train, val'):
        choose_splits(kept[0], ['testC'])


def test_a_kept_student_is_scored_on_each_split_and_on_both_together(kept, tmp_path):
    run, record = kept
    out = tmp_path / 'runs.test.jsonl'
    splits = ('testA', 'testB')
    line = score_run(ScoringJob(run=run, record=record, splits=splits, together=splits, out=str(out)))
    assert read_records(out)[0] == [line]
    assert list(line['test']) == ['testA', 'testB', 'testA+testB']
    assert line['test']['testA+testB']['miou'] == pytest.approx(
        (line['test']['testA']['miou'] + line['test']['testB']['miou']) / 2, abs=2e-3)
    assert line['student_hash'] == record['student_hash']


def test_val_is_scored_as_after_training(kept, tmp_path):
    run, record = kept
    line = score_run(ScoringJob(run=run, record=record, splits=('val', ), together=(), out=str(tmp_path / 'o.jsonl')))
    assert line['test']['val'] == record['val']


def test_a_checkpoint_of_another_run_is_refused(kept, tmp_path):
    run, record = kept
    task = ScoringJob(run=run, record={**record, 'checkpoint_hash': 'x'}, splits=('val', ), together=(), out='o')
    with pytest.raises(RunError, match='is not the checkpoint that the record of plain seed 0 describes'):
        score_run(task)
    gone = Run(experiment='plain', config=run.config, seed=0, work_dir=str(tmp_path), data_root=run.data_root, out='o')
    with pytest.raises(RunError, match=r'there is no .*last.pth; run it again'):
        score_run(ScoringJob(run=gone, record=record, splits=('val', ), together=(), out='o'))
