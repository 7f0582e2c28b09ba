import json
import signal
import subprocess
import sys

import pytest

from projects.ablation import ablate
from projects.ablation.tests.tiny_study import make_record, write_study
from tests.shared_data import ROOT
from tests.tiny_grounder import make_data_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=8, splits=('train', 'val', 'testA', 'testB'))


@pytest.fixture(scope='module')
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp('experiments'), setting='cfg.model.dropout = 0.2', plain='pass',
                            sharp='cfg.model.dropout = 0.0', broken='cfg.model.dropout = 2.0',
                            other="cfg.model.type = 'projects.ablation.tests.other_grounder.OtherGrounder'")


@pytest.fixture
def run(monkeypatch, tmp_path, study, root, capsys):
    """Call the command in an empty folder; returns what it printed and how it ended."""
    monkeypatch.chdir(tmp_path)
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        monkeypatch.setenv(name, '1')
    handler = signal.getsignal(signal.SIGTERM)

    def call(*arguments):
        config, files = study
        # The patches of the test are files; their names are the experiments.
        arguments = [','.join(files.get(name, name) for name in str(argument).split(',')) for argument in arguments]
        always = [config, '--setting', files['setting'], '--data-root', root, '--out', 'r/runs.jsonl']
        monkeypatch.setattr('sys.argv', ['ablate.py', *map(str, [*always, *arguments])])
        code = None
        try:
            ablate.main()
        except SystemExit as error:
            code = error.code
        return capsys.readouterr().out, code

    yield call
    signal.signal(signal.SIGTERM, handler)


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_help_is_shown_before_anything_heavy_is_imported():
    command = [sys.executable, '-X', 'importtime', str(ROOT / 'projects/ablation/ablate.py'), '--help']
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '--train-sizes N,M' in done.stdout
    imported = {line.rpartition('|')[2].strip() for line in done.stderr.splitlines()}
    assert 'argparse' in imported and not imported & {'torch', 'mmengine', 'mmdet', 'numpy'}


def test_experiments_are_trained_once_tabulated_and_tested(run, tmp_path):
    out, code = run('--seeds', 2, '--patches', 'plain,full', '--jobs', 2)
    assert code is None
    assert '4 runs: 0 done, in r/runs.jsonl' in out and '4 of 4 done' in out
    assert '| full | 2 |' in out and 'drawn in r/runs.svg' in out
    made = records(tmp_path / 'r/runs.jsonl')
    assert sorted((record['arm'], record['seed']) for record in made) == [('full', 0), ('full', 1), ('plain', 0), ('plain', 1)]
    assert (tmp_path / 'work_dirs/ablation/runs/full/seed_1/last.pth').exists()
    again, _ = run('--seeds', 2, '--patches', 'plain,full')
    assert '4 runs: 4 done, in r/runs.jsonl' in again and 'done, about' not in again
    more, _ = run('--seeds', '1-2', '--patches', 'full')
    assert '2 runs: 1 done, in' in more and '1 of 1 done' in more
    tested, code = run('--seeds', 2, '--patches', 'plain,full', '--test')
    assert code is None
    assert 'testA+testB, 6 steps' in tested and (tmp_path / 'r/runs_testA+testB.svg').exists()
    assert len(records(tmp_path / 'r/runs.test.jsonl')) == 4
    assert 'done, about' not in run('--seeds', 2, '--patches', 'plain,full', '--test')[0]
    table, _ = run('--table', '--against', 'full')
    assert 'Acc@0.5 minus full' in table and 'testB, 6 steps' in table


def test_a_failed_experiment_shows_the_end_of_its_log_and_the_others_go_on(run, tmp_path):
    out, code = run('--seeds', 1, '--patches', 'broken,plain')
    assert 'broken seed 0: failed, see' in out
    assert 'dropout probability has to be between 0 and 1, but got 2.0' in out
    assert code == 'error: 1 run failed; the same command tries again'
    assert [record['arm'] for record in records(tmp_path / 'r/runs.jsonl')] == ['plain']


def test_the_setting_is_applied_before_the_patch_of_an_experiment(run, tmp_path):
    run('--seeds', 1, '--patches', 'plain,full,sharp')
    hashes = {record['arm']: record['config_hash'] for record in records(tmp_path / 'r/runs.jsonl')}
    assert hashes['plain'] == hashes['full'] != hashes['sharp']
    assert records(tmp_path / 'r/runs.jsonl')[0]['patches'] == ['setting', 'plain']


def test_a_record_of_another_config_is_said_and_made_again(run, tmp_path):
    run('--seeds', 1, '--patches', 'plain')
    out, _ = run('--seeds', 1, '--patches', 'plain', '--cfg-options', 'model.dropout=0.3')
    assert 'plain seed 0: the record is stale, made with another config (' in out
    assert '1 of 1 done' in out
    assert len(records(tmp_path / 'r/runs.jsonl')) == 2
    # The first is stale now.
    assert '1 run: 0 done, in' in run('--seeds', 1, '--patches', 'plain')[0]


def test_experiments_whose_students_start_differently_are_not_tabulated(run):
    out, code = run('--seeds', 1, '--patches', 'plain,other')
    assert '2 of 2 done' in out
    assert 'has other initial weights of the student than plain seed 0' in code
    assert '| plain |' not in out


def test_sizes_and_sweeps_are_experiments_of_their_own(run, tmp_path):
    out, _ = run('--seeds', 1, '--patches', 'plain', '--train-sizes', '4,8', '--steps', 3, '--sweep', 'model.dropout=0.0,0.4')
    assert {(record['arm'], record['train_size'], record['steps']) for record in records(tmp_path / 'r/runs.jsonl')} == {
        (f'plain[model.dropout={value}]', size, 3) for value in ('0.0', '0.4') for size in (4, 8)}
    assert 'val, 3 steps, 4 expressions' in out and 'val, 3 steps, 8 expressions' in out
    assert (tmp_path / 'r/runs_labels.svg').exists()


@pytest.mark.parametrize(('arguments', 'sentence'), [
    (['--patches', 'nope'], 'there is no patch nope'),
    (['--patches', 'plain', '--train-sizes', '4', '--cfg-options', 'model.head.x=1'], 'experiment plain has no model.head'),
    (['--patches', 'plain', '--sweep', 'model.dropout'], '--sweep takes KEY=VALUE,VALUE'),
    (['--patches', 'plain', '--test'], '5 runs without a record yet, such as plain seed 0'),
    (['--table'], 'there is no r/runs.jsonl: train first'),
])
def test_wrong_input_ends_in_one_sentence(run, arguments, sentence):
    _, code = run(*arguments)
    assert str(code).startswith('error: ') and sentence in code and '\n' not in code


@pytest.mark.parametrize(('flag', 'text'), [('--seeds', '0'), ('--seeds', 'x'), ('--seeds', '1,1'), ('--seeds', '3-1'),
                                            ('--patches', 'a,,b'), ('--train-sizes', '0'), ('--jobs', '0')])
def test_flags_that_make_no_sense_are_refused(flag, text):
    with pytest.raises(SystemExit):
        ablate.parse_args(['experiments', flag, text])


@pytest.mark.parametrize(('text', 'seeds'), [('3', [0, 1, 2]), ('5-7', [5, 6, 7]), ('4,2', [4, 2])])
def test_seeds_are_a_number_a_range_or_a_list(text, seeds):
    assert ablate.parse_args(['experiments', '--seeds', text]).seeds == seeds


def test_a_table_of_records_needs_no_training(run, tmp_path):
    (tmp_path / 'r').mkdir()
    lines = [make_record(name, seed, score + seed) for name, score in (('plain', 40.0), ('full', 50.0)) for seed in range(3)]
    (tmp_path / 'r/runs.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    out, code = run('--table', '--figure', 'f/gains.svg')
    assert code is None
    assert '| full | 3 | 51.0 ± 1.0 | 25.5 ± 0.5 | 10.0 ± 0.0 | +10.0 [+10.0, +10.0] (3) |' in out
    assert (tmp_path / 'f/gains.svg').read_text().startswith('<?xml')
    assert '| full | 2 | 51.5 ' in run('--table', '--seeds', '1,2')[0]
    only = run('--table', '--patches', 'full', '--against', 'full')[0]
    assert '| full | 3 |' in only and '| plain |' not in only
    assert '| full | 3 |' in run('--table', '--steps', 100)[0] and '| full |' not in run('--table', '--steps', 50)[0]
