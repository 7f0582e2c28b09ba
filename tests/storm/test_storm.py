import json
import os

import pytest

from mmduet.cli.storm import main
from mmduet.engine.config_tools import ConfigError
from mmduet.io.locks import locked
from mmduet.storm.storm import Storm
from mmduet.storm.trial import Training
from tests.forking import Call, run_calls
from tests.run_tool import run_tool
from tests.shared_data import ROOT
from tests.tiny_grounder import make_data_root


def train_config(**options):
    return Training(config=str(ROOT / 'tests/tiny_config.py'), **options)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_data_root(tmp_path_factory.mktemp('tiny') / 'data', count=6)


def _storm(folder, root, kills, options):
    report = Storm(train_config(data_root=str(root), epochs=2, **options), folder, faults='ranks' not in options).run(kills)
    print(report)
    assert report.losses == [] and report.kills.total() >= kills and report.runs >= 1


@pytest.mark.parametrize('options', [dict(ema=True, accumulate=2, patience=1), dict(ranks=2)], ids=str)
def test_ten_kills_lose_nothing(root, tmp_path, options):
    done, = run_calls([Call(_storm, (tmp_path, root, 10 if 'ema' in options else 3, options))])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def _lose(folder, root):
    """A training whose record forgets validations, and whose checkpoints forget the optimizer's steps."""
    from mmduet.engine.hooks import checkpoint_hook
    collect = checkpoint_hook.collect_checkpoint

    def forget(*arguments, **options):
        checkpoint = collect(*arguments, **options)
        if 'optimizer' in checkpoint:
            checkpoint['optimizer']['state'][0]['exp_avg'].zero_()
        return checkpoint

    storm = Storm(train_config(data_root=str(root), epochs=2), folder)
    checkpoint_hook.collect_checkpoint = forget
    report = storm.run(5)
    assert any('values differ' in sentence for sentence in report.losses), report
    assert (folder / report.losses[0].split(':')[0] / 'work').is_dir(), 'what was lost is not there to be looked at'


def test_what_a_checkpoint_forgets_is_found(root, tmp_path):
    done, = run_calls([Call(_lose, (tmp_path, root))])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_the_tool_prints_and_writes_the_figures(root, tmp_path):
    done = run_tool('analysis_tools/storm', ROOT / 'tests/tiny_config.py', '--data-root', root, '--kills', 1, '--epochs', 1,
                    '--work', tmp_path / 'storm', '--out', tmp_path / 'storm.json')
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads((tmp_path / 'storm.json').read_text())
    assert sum(figures['kills'].values()) == 1 and figures['runs'] >= 1 and figures['unequal'] == []
    assert 'lost: unresumable 0, lost steps 0, lost validations 0, unequal 0' in done.stdout


def test_a_training_that_does_not_end_and_folders_of_others_are_refused_in_a_sentence(root, tmp_path):
    (tmp_path / 'reference').mkdir()
    (tmp_path / 'reference/mine').write_text('mine')
    with pytest.raises(ConfigError, match='reference is there, and no storm made it: name another folder to work in'):
        Storm(train_config(data_root=str(root)), tmp_path)
    assert (tmp_path / 'reference/mine').read_text() == 'mine'
    config, work = str(ROOT / 'tests/tiny_config.py'), ('--work', str(tmp_path / 'work'))
    done, = run_calls([Call(main, ([config, '--data-root', str(tmp_path / 'gone'), *work], ))])
    assert done.returncode == 1 and f'error: there is no data root {tmp_path}/gone' in done.stderr
    assert not (tmp_path / 'work').exists()
    (tmp_path / 'empty').mkdir()
    arguments = [config, '--data-root', str(tmp_path / 'empty'), *work]
    with locked(tmp_path / 'work'):
        done, = run_calls([Call(main, (arguments, ))])
        assert done.returncode == 1 and f'error: {tmp_path}/work is in use by process {os.getpid()} on' in done.stderr
    for _ in range(2):  # what the first left is replaced
        done, = run_calls([Call(main, (arguments, ))])
        assert done.returncode == 1 and done.stderr.splitlines()[-1] == (
            f'error: the training does not even end without kills; see {tmp_path}/work/reference/log')
        assert f'{tmp_path}/empty' in (tmp_path / 'work/reference/log').read_text().splitlines()[-1]
