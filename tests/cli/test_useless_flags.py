import argparse

import pytest

from mmduet.cli import useless_flags
from mmduet.cli.main import build_parser, main
from mmduet.cli.running import check_arguments

HUB = [('--config', 'c'), ('--vocabulary', 'v'), ('--revision', 'r'), ('--cache-dir', 'd'), ('--offline', )]
STEPS = [('--teacher-cache', ), ('--expressions', '3')]
OF_ONE_STEP = [*STEPS, ('--batch-size', '3'), ('--padding', ), ('--predict-only', ), ('--balance', )]
TIMED = [('--minutes', '3'), ('--batch-sizes', '3')]
GROUPS, JSON, AMP = ('--expressions-per-image', '4'), ('--json', 'j'), ('--amp', 'bf16')
# The start of a command, and flags that nothing would read beside it, each alone.
USELESS = [
    ('export c --random', HUB),
    ('export m --exporter e', [('--int8', ), ('--opset', '19')]),
    ('export m', [('--splits', 'testA'), ('--first', '3'), ('--patch', 'p'), ('--cfg-options', 'a=1')]),
    ('export m --check 0', [('--images', 'i')]),
    ('benchmark c --list-wheels', [*OF_ONE_STEP, *TIMED, ('--device', 'cpu'), ('--on-paper', ), ('--steps', '3'), GROUPS, JSON,
                                   AMP]),
    ('benchmark c --on-paper', [*OF_ONE_STEP, *TIMED, ('--device', 'cpu'), ('--steps', '3'), AMP]),
    ('benchmark c --device cpu', OF_ONE_STEP),
    ('benchmark c', TIMED),
    ('benchmark c --balance', [*STEPS, GROUPS, ('--padding', ), ('--predict-only', ), AMP]),
    ('benchmark c --padding', [*STEPS, GROUPS, ('--predict-only', ), JSON]),
    ('benchmark c --expressions-per-image 4', [*STEPS, ('--predict-only', ), JSON]),
    ('benchmark c --predict-only', [('--teacher-cache', ), ('--batch-size', '3'), AMP]),
    ('benchmark-data --reading p', [('--images', 'i'), ('--expressions', '3')]),
    ('benchmark-data --images i', [('--expressions', '3')]),
    ('benchmark-data', [('--count', '3')]),
    ('analyse-teacher c --centre f', [('--compare-views', )]),
    ('check r', [('--patch', 'p'), ('--cfg-options', 'a=1')]),
    ('predict example ring', [('--patch', 'p'), ('--cfg-options', 'a=1')]),
    ('publish m f', [('--patch', 'p'), ('--cfg-options', 'a=1')]),
    ('convert a b', [('--patch', 'p'), ('--cfg-options', 'a=1')]),
    ('check --leaks c', [('--splits', 'val'), ('--show', '3'), ('--workers', '3')]),
    ('check-leaks --train r', [('--patch', 'p'), ('--cfg-options', 'a=1'), ('--seen-collection', 'x')]),
    ('check-leaks --config c', [('--splits', 'val')]),
    ('prepare own --check', [('--images', 'i'), ('--layout', 'l'), ('--protocol', 'p'), ('--allow-missing-images', ),
                             ('--check-images', )]),
    ('storm c --data-root d --waiting', [('--kills', '3'), ('--faults', ), ('--seed', '3'), ('--epochs', '4'), ('--ranks', '2'),
                                         ('--out', 'o')]),
]


@pytest.mark.parametrize(('start', 'flag'), [(start, flag) for start, flags in USELESS for flag in flags])
def test_a_flag_that_nothing_would_read_is_refused_by_its_name(start, flag, capsys):
    words = start.split()
    check_arguments(build_parser(words[0]).parse_args(words))
    with pytest.raises(SystemExit) as end:
        main([*words, *flag])
    said = capsys.readouterr().err
    assert end.value.code == 2
    # What is refused may be the other one of the two, where neither was there first.
    assert any(f'error: {word} would do nothing: ' in said for word in (flag[0], *words[2:])), said


@pytest.mark.parametrize('words', [
    'export m --data d --splits testA --first 3 --images i --int8 --opset 19 --config c --vocabulary v --offline',
    'export c --random --int8 --benchmark 3', 'export m --exporter e --check 5 --images i',
    'benchmark c --device cpu --minutes 3 --batch-sizes 3 --steps 3 --amp bf16 --expressions-per-image 2 --json j',
    'benchmark c --on-paper --expressions-per-image 4 --json j', 'benchmark c --balance --batch-size 3 --steps 3 --json j',
    'benchmark c --padding --batch-size 3 --steps 3 --amp bf16',
    'benchmark c --expressions-per-image 2 --batch-size 3 --amp bf16',
    'benchmark c --predict-only --expressions 3 --json j',
    'benchmark c --teacher-cache --expressions 3 --batch-size 3 --amp bf16',
    'benchmark-data --images i --count 3', 'benchmark-data --expressions 3', 'check d --leaks c --splits val --show 3',
    'check-leaks --train r --splits val --config c --patch p --seen-ids s --seen-collection x',
    'prepare own --source s --images i --check --check-images',
    'storm c --data-root d --waiting --interval 4 --workers 2 --ema'])
def test_flags_that_are_read_pass(words):
    assert check_arguments(build_parser(words.split()[0]).parse_args(words.split()))


@pytest.mark.parametrize('start', ['benchmark c', 'analyse-teacher c', 'calibrate-score c k o.pth', 'cache-teacher c'])
def test_commands_that_keep_no_run_have_no_work_folder(start, capsys):
    with pytest.raises(SystemExit):
        main([*start.split(), '--work-dir', 'w'])
    assert 'unrecognized arguments: --work-dir w' in capsys.readouterr().err


def test_all_flags_that_were_given_are_named():
    parser = argparse.ArgumentParser()
    parser.set_defaults(parser=parser)
    parser.add_argument('-e', '--every', type=int, default=3)
    parser.add_argument('--flag-of-two', action='store_true')
    parser.add_argument('--third')
    args = parser.parse_args(['--every', '4', '--flag-of-two'])
    with pytest.raises(argparse.ArgumentTypeError, match=r'^--every, --flag-of-two would do nothing: why$'):
        useless_flags.refuse(args, 'every flag_of_two third', 'why')
    useless_flags.refuse(parser.parse_args(['--every', '3']), 'every flag_of_two third', 'why')
