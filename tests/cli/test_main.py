import argparse
import json
import re
import subprocess
import sys

import pytest

from mmduet import __version__
from mmduet.cli.main import COMMANDS, build_parser, main
from tests.load_tool import TOOLS
from tests.shared_data import ROOT

# Importing any of these takes seconds, where Python itself starts in a tenth of one.
HEAVY = ('torch', 'mmengine', 'mmcv', 'mmdet', 'transformers', 'open_clip', 'scipy', 'matplotlib', 'cv2', 'timm', 'gradio',
         'onnx', 'onnxruntime')
SHOW_ALL_HELP = """
import contextlib, io, json, runpy, sys
from pathlib import Path
HEAVY, root = json.loads(sys.argv[1]), Path(sys.argv[2])
sys.path.insert(0, str(root))

def show(run):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        run()
    return [out.getvalue(), [name for name in HEAVY if name in sys.modules]]

from mmduet.cli.main import COMMANDS, main
shown = {name: show(lambda: main([*name.split(), '--help'])) for name in ('', *COMMANDS)}
for path in sorted(path for path in (root / 'tools').rglob('*.py')):
    sys.argv = [str(path), '--help']
    shown[path.relative_to(root).as_posix()] = show(lambda: runpy.run_path(str(path), run_name='__main__'))
print(json.dumps(shown))
"""


@pytest.fixture(scope='module')
def shown():
    run = subprocess.run([sys.executable, '-c', SHOW_ALL_HELP, json.dumps(HEAVY), str(ROOT)], capture_output=True, text=True,
                         check=True)
    return json.loads(run.stdout)


def test_help_imports_nothing_heavy(shown):
    assert {name: heavy for name, (_, heavy) in shown.items() if heavy} == {}


def test_every_command_and_tool_shows_its_help(shown):
    assert all(re.search(rf'^    {name}\b', shown[''][0], re.M) for name in COMMANDS), shown[''][0]
    for name, (text, _) in shown.items():
        start = f'mmduet {name}'.rstrip() if name in ('', *COMMANDS) else name.rpartition('/')[2]
        assert text.startswith(f'usage: {start} ['), text


def test_every_tool_is_a_command_with_the_same_arguments(shown):
    tools = {path.relative_to(ROOT).as_posix(): re.search(r'from mmduet\.cli\.(\w+) import main', path.read_text())
             for path in TOOLS.rglob('*.py')}
    for path, found in tools.items():
        tool, command = (re.sub(r'^usage: .*?(?= \[)', '', shown[name][0]) for name in (path, found.group(1).replace('_', '-')))
        assert tool.split() == command.split(), path


def test_a_shell_completes_commands_and_their_arguments(capsys):
    for shell in ('bash', 'zsh', 'tcsh'):
        with pytest.raises(SystemExit) as end:
            main(['--print-completion', shell])
        text = capsys.readouterr().out
        assert end.value.code == 0 and 'cache-teacher' in text and 'max-iters' in text, shell
    with pytest.raises(SystemExit):
        main(['--print-completion', 'dos'])
    assert "invalid choice: 'dos'" in capsys.readouterr().err


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit):
        main(['--version'])
    assert capsys.readouterr().out == f'mmduet {__version__}\n'


@pytest.mark.parametrize(('words', 'said'), [
    ([], 'the following arguments are required: COMMAND'), (['trian'], "invalid choice: 'trian'"),
    (['train'], 'mmduet train: error: the following arguments are required: config'),
    (['train', 'x', '--resume', '--load-from', 'y'], 'mmduet train: error: --resume continues a training'),
    (['check'], 'mmduet check: error: name a data root, or a config with --leaks')])
def test_a_mistake_of_the_command_line_ends_with_usage_and_code_2(words, said, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2 and said in capsys.readouterr().err


def test_a_mistake_in_data_ends_with_one_sentence(tmp_path, capsys):
    assert main(['check', str(tmp_path / 'nowhere')]) == 1
    assert re.fullmatch(r'error: .*nowhere.*manifest\.json.*\n', capsys.readouterr().err)


def test_names_of_commands_are_those_of_their_modules():
    parser = build_parser('train')
    assert parser.parse_args(['train', 'x']).run.__module__ == 'mmduet.cli.train'
    assert all((ROOT / f'mmduet/cli/{name.replace("-", "_")}.py').is_file() for name in COMMANDS)


@pytest.mark.parametrize('command', sorted(COMMANDS))
def test_a_flag_of_many_values_that_is_given_twice_adds_up(command):
    subparser = next(action for action in build_parser(command)._actions if isinstance(action, argparse._SubParsersAction))
    for action in subparser.choices[command]._actions:
        if action.option_strings and action.nargs in ('+', '*'):
            alone, flag = argparse.ArgumentParser(), action.option_strings[0]
            alone._add_action(action)
            given = vars(alone.parse_args([flag, '1', flag, '2']))[action.dest]
            assert [str(one) for one in given] == ['1', '2'], flag


def test_help_says_every_default(shown):
    assert re.search(r'--launcher \{none,pytorch,slurm\}\n.*\(default: none\)', shown['test'][0])
    assert 'default: None' not in str(shown) and 'default: False' not in str(shown)
    commands = next(action.choices for action in build_parser()._actions if isinstance(action.choices, dict))
    for name, parser in commands.items():
        for action in parser._actions:
            if action.option_strings and action.help != argparse.SUPPRESS and isinstance(action.default, int | float | str) \
                    and not isinstance(action.default, bool) and action.default not in (argparse.SUPPRESS, ''):
                assert 'default' in parser._get_formatter()._get_help_string(action), f'{name} {action.option_strings[0]}'


def test_without_shtab_completion_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'shtab', None)
    with pytest.raises(SystemExit) as end:
        main(['--print-completion', 'bash'])
    assert end.value.code == 2
    assert '--print-completion needs the package shtab, which is not installed: pip install shtab' in capsys.readouterr().err
