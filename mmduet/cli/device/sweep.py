"""All measurements of a card within a number of minutes, and how they are printed."""
import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from mmduet.cli.device import checks
from mmduet.cli.device.cards import Card, find_card
from mmduet.cli.device.rows import CUDA_ONLY, Budget, Row, plan
from mmduet.cli.device.steps import Bench

if TYPE_CHECKING:
    from mmengine.config import Config

NO_TIME = 'no time was left'
# Name of each check, how it is made, and why a CPU cannot; None where it can.
CHECKS: tuple[tuple[str, Callable[[Bench, int, int], Any], str | None], ...] = (
    ('bf16 against fp32', checks.compare_precisions, None),
    ('fp16 with loss scaling', checks.scale_losses, 'float16 needs a CUDA device'),
    ('process group of one', checks.join_group, None),
    ('slowest', checks.find_slowest, None))


def sweep(model: torch.nn.Module, cfg: 'Config', args: argparse.Namespace) -> dict[str, Any]:
    """Measure what ``plan`` lists, and the checks after its first rows, as far as the minutes reach."""
    budget, bench = Budget(args.minutes), Bench(model, cfg, args.device, args.steps)
    gpu = args.device == 'cuda'
    name = torch.cuda.get_device_name() if gpu else 'cpu'
    rows, found = plan(args.batch_sizes, args.numbers), {}
    for number, group in enumerate(rows):
        for row in group:
            _measure(bench, row, budget)
        if number == 0:
            for title, check, needs in CHECKS:
                found[title] = {'skipped': needs} if needs is not None and not gpu else \
                    _guarded(title, partial(check, bench, args.batch_sizes[0], max(args.numbers)), budget)
    flat = [row for group in rows for row in group]
    return {'config': args.config, 'device': name, 'precision': args.amp or 'fp32', 'torch': torch.__version__,
            'cuda': torch.version.cuda if gpu else None, 'minutes': args.minutes, 'checks': found,
            'rows': [{'work': row.work, 'way': row.way, 'batch_size': row.batch_size, 'k': row.expressions_per_image,
                      **({'skipped': row.skipped} if row.skipped else row.figures)} for row in flat]}


def _measure(bench: Bench, row: Row, budget: Budget) -> None:
    if bench.device != 'cuda' and row.way in CUDA_ONLY:
        row.skipped = CUDA_ONLY[row.way]
        return
    figures = _guarded(row.name, lambda: bench.measure(row), budget, row.way)
    row.skipped = figures.get('skipped', '')
    row.figures = figures


def _guarded(title: str, measure: Callable[[], Any], budget: Budget, kind: str = 'check') -> Any:
    """What is measured, or why it is not: a card has few minutes, so that what fails must not end the rest."""
    if not budget.fits(kind):
        return {'skipped': NO_TIME}
    print(f'{title} ...', flush=True)
    start = time.monotonic()
    try:
        return measure()
    except torch.OutOfMemoryError:
        return {'skipped': 'out of memory'}
    except Exception as error:
        return {'skipped': f'failed, {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ""}'}
    finally:
        budget.took(kind, time.monotonic() - start)


def format_sweep(report: dict[str, Any]) -> str:
    """The tables that are printed."""
    card = find_card(report['device'])
    limit = f'limit {card.half:.0f} TFLOP/s' if card is not None else 'whose limit is not in our table'
    lines = [f'{report["config"]} on {report["device"]} ({limit}), {report["precision"]}, PyTorch {report["torch"]}',
             report['tf32'], '',
             '| work | way | B | k | ms | expressions/s | TFLOP/s | of the limit | GB |', '| --- | --- ' + '| ---: ' * 7 + '|']
    lines += [_format_row(row, card) for row in report['rows']]
    for title, found in report['checks'].items():
        lines += ['', f'{title}:', *_format_check(found)]
    return '\n'.join(lines)


def _format_row(row: dict[str, Any], card: Card | None) -> str:
    start = f'| {row["work"]} | {row["way"]} | {row["batch_size"]} | {row["k"]} |'
    if 'skipped' in row:
        return f'{start} {row["skipped"]} | | | | |'
    rate = None if row['flops_per_second'] is None else row['flops_per_second'] / 1e12
    share = 'unknown' if card is None or rate is None else f'{100 * rate / card.half:.1f} %'
    said, memory = ('unknown' if value is None else f'{value:.2f}' for value in (rate, row['peak_memory_gb']))
    return f'{start} {1e3 * row["seconds"]:.1f} | {row["expressions_per_second"]:.1f} | {said} | {share} | {memory} |'


def _format_check(found: Any) -> list[str]:
    if isinstance(found, list):
        return [f'{kernel["milliseconds"]:10.2f} ms {100 * kernel["share"]:5.1f} %  {kernel["name"][:90]}' for kernel in found]
    return [f'  {name}: {_short(value)}' for name, value in found.items()]


def _short(value: Any) -> str:
    if isinstance(value, list):
        return ' '.join(f'{number:.4g}' for number in value)
    return f'{value:.4g}' if isinstance(value, float) else str(value)
