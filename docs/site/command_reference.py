"""The reference of the command, made of its parser."""
import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmduet.cli.main import COMMANDS, build_parser


def reference() -> str:
    """A section for each subcommand: what it says of itself, and a table of its arguments."""
    subparsers = next(action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return '\n\n'.join(section(name, subparsers.choices[name]) for name in COMMANDS)


def section(name: str, parser: argparse.ArgumentParser) -> str:
    """The section of one subcommand."""
    rows = [row(action) for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    table = '\n'.join(['| argument | |', '|---|---|', *rows])
    return f'## mmduet {name}\n\n{_fenced(parser.description or "")}\n\n{table}'


def row(action: argparse.Action) -> str:
    """The row of one argument: how it is written, and its help with its default filled in."""
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper() if action.option_strings else action.dest
    if action.choices is not None:
        value = ' / '.join(map(str, action.choices))
    written = ', '.join(action.option_strings) or value
    if action.option_strings and action.nargs != 0:
        written += f' {value}' + (' ...' if action.nargs in ('+', '*') else '')
    said = (action.help or '') % {'default': action.default, 'prog': 'mmduet'}
    return f'| `{_in_table(written)}` | {_in_table(said)} |'


def _in_table(text: str) -> str:
    return ' '.join(text.split()).replace('|', r'\|').replace('<', '&lt;').replace('*', r'\*')


def _fenced(text: str) -> str:
    """Paragraphs of a help text; indented ones become blocks of code."""
    parts = [part.strip('\n') for part in text.replace('\n    ', '\n\0').split('\n\n')]
    made = []
    for part in parts:
        lines = part.split('\n')
        if all(line.startswith('\0') for line in lines):
            made.append('```bash\n' + '\n'.join(line[1:] for line in lines) + '\n```')
        else:
            made.append(' '.join(line.lstrip('\0') for line in lines))
    return '\n\n'.join(made)
