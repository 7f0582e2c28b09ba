"""Say what is installed, which data and weights are here, and what to do next; nothing is fetched.

    mmduet doctor
    mmduet doctor --json        # for an issue

Ends with 1 where something is broken; data or weights that are not here are none of that.
"""
import argparse
import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from mmduet.cli import running

if TYPE_CHECKING:
    from mmduet.cli.diagnosis import Finding

_COLOURS = {'ok': 'green', 'note': 'yellow', 'broken': 'bold red'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('--json', action='store_true', help='print JSON')


def next_steps(findings: Sequence['Finding']) -> list[str]:
    """What to do, what is broken first."""
    ordered = sorted((finding for finding in findings if finding.advice), key=lambda finding: finding.state != 'broken')
    return [f'{finding.name}: {finding.advice}' for finding in ordered]


def show(findings: Sequence['Finding']) -> None:
    """Print a table and what to do next."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a pipe has no width, and an issue wants whole lines
    table = Table('part', 'what', 'found', 'state', title='mmduet doctor')
    before = ''
    for finding in findings:
        colour = _COLOURS[finding.state]
        table.add_row('' if finding.part == before else finding.part, escape(finding.name), escape(finding.value),
                      f'[{colour}]{finding.state}[/{colour}]')
        before = finding.part
    console.print(table)
    steps = next_steps(findings)
    broken = sum(finding.state == 'broken' for finding in findings)
    console.print(f'{broken} broken' if broken else 'nothing is broken', style=_COLOURS['broken' if broken else 'ok'])
    for step in steps:
        console.print(f'  * {escape(step)}', highlight=False, soft_wrap=True)
    if not steps:
        console.print('Next: mmduet train transvg_duet_refshapes', highlight=False)


def run(args: argparse.Namespace) -> int:
    """Diagnose; 1 where something is broken."""
    from mmduet.cli.diagnosis import diagnose
    findings = diagnose()
    broken = any(finding.state == 'broken' for finding in findings)
    if args.json:
        print(json.dumps({'broken': broken, 'findings': [finding.to_dict() for finding in findings],
                          'next': next_steps(findings)}, indent=1, ensure_ascii=False))
    else:
        show(findings)
    return int(broken)


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
