import re

from tests.run_tool import run_tool
from tests.shared_data import ROOT
from tests.tiny_grounder import make_data_root


def measure(folder, count, *options):
    """What the tool says of data of so many expressions, two a step."""
    root = make_data_root(folder / 'data', count=count)
    return run_tool('analysis_tools/storm', ROOT / 'tests/tiny_config.py', '--data-root', root, '--waiting', '--work',
                    folder / 'work', *options)


def test_the_tool_measures_how_long_steps_with_a_checkpoint_wait(tmp_path):
    # Nine steps: the first does not count, and after 3, 6 and 9 there is the checkpoint of an epoch, which no step waits for.
    done = measure(tmp_path, 6, '--interval', 1)
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r'^5 checkpoints of 0\.\d MB, a step [\d.]+ ms: a step waits [\d.]+ ms for one that is not written in the '
                     r'background and [\d.]+ ms for one that is(, [\d.]+ times less)? \(medians\)$', done.stdout, re.MULTILINE)


def test_epochs_too_short_for_a_checkpoint_within_are_refused_in_a_sentence(tmp_path):
    done = measure(tmp_path, 2, '--interval', 1)
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == (
        'error: no checkpoint is written within an epoch of 1 step: take more data, or fewer steps between two checkpoints '
        '(--interval)')
