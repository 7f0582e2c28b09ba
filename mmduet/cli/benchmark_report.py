"""What a benchmark of phases found, and how it is printed."""
import argparse
import statistics
from collections.abc import Mapping
from typing import Any

from mmduet.cli.clock import Clock, peak_memory
from mmduet.io.text import counted

ONLINE, CACHED, PLAIN = '', 'cached ', 'plain '
ONE_BY_ONE, TOGETHER = 'expressions one by one', 'expressions together'
PHASES = ('data', 'preprocess', 'student forward', 'teacher', 'head', 'backward', 'optimizer')


def summarise(args: argparse.Namespace, clock: Clock, device: str, difference: float) -> dict[str, Any]:
    """Medians of all phases, and what follows from them; ``difference`` is that of ``run_rounds``."""
    import torch
    medians = {name: {'seconds': statistics.median(values), 'u': statistics.median(clock.units[name])}
               for name, values in clock.seconds.items() if name != 'u'}
    step = 'step' if 'step' in medians else 'plain step'
    peak = torch.cuda.max_memory_allocated() if device == 'cuda' else peak_memory()
    report: dict[str, Any] = {'config': args.config, 'device': device, 'batch_size': args.batch_size, 'steps': args.steps,
                              'threads': args.threads, 'precision': args.amp or 'fp32', 'torch': torch.__version__,
                              'u_seconds': statistics.median(clock.seconds['u']), 'phases': medians,
                              'peak_memory_gb': None if peak is None else peak / 1e9}
    if step in medians:
        report['samples_per_second'] = args.batch_size / medians[step]['seconds']
    for way, name in ((ONLINE, 'overhead_of_distillation'), (CACHED, 'overhead_with_cached_teacher')):
        if f'{way}step' in medians:
            ratios = [whole / plain for whole, plain in zip(clock.units[f'{way}step'], clock.units['plain step'], strict=True)]
            report[name] = statistics.median(ratios) - 1
    if TOGETHER in medians:
        ratios = [alone / shared for alone, shared in zip(clock.units[ONE_BY_ONE], clock.units[TOGETHER], strict=True)]
        report['throughput_of_sharing'] = statistics.median(ratios)
        report['difference_by_sharing'] = difference
    return report


def format_report(report: Mapping[str, Any]) -> str:
    """The table that is printed."""
    medians = report['phases']
    distilled = 'step' in medians
    rows = [(name, f'plain {name}' if f'plain {name}' in medians and not distilled else name) for name in PHASES]
    rows += [('step, without data', 'step'), ('plain step, without data', 'plain step'),
             *((f'{name}, cached teacher', f'cached {name}') for name in ('teacher', 'head', 'backward', 'step')),
             ('prediction, one expression', 'prediction'), ('prediction, student alone', 'prediction, student alone'),
             (ONE_BY_ONE, ONE_BY_ONE), (TOGETHER, TOGETHER)]
    lines = [f'{report["config"]}: batches of {report["batch_size"]}, {report["precision"]}, '
             f'{counted(report["threads"], "thread")}, {report["device"]}, medians of {report["steps"]} steps',
             f'{"phase":28}{"seconds":>10}{"u":>9}']
    lines += [f'{title:28}{medians[name]["seconds"]:10.3f}{medians[name]["u"]:9.2f}' for title, name in rows if name in medians]
    if 'overhead_of_distillation' in report:
        lines.append(f'teacher and head add {100 * report["overhead_of_distillation"]:.0f} % to the plain step')
    if 'overhead_with_cached_teacher' in report:
        lines.append(f'with a cached teacher they add {100 * report["overhead_with_cached_teacher"]:.0f} % to the plain step')
    if 'throughput_of_sharing' in report:
        lines.append(f'expressions about one image are answered {report["throughput_of_sharing"]:.1f} times as fast together; '
                     f'boxes differ by at most {report["difference_by_sharing"]:.1e}')
    if 'samples_per_second' in report:
        lines.append(f'{report["samples_per_second"]:.2f} expressions per second')
    peak = report['peak_memory_gb']
    said = 'unknown' if peak is None else f'{peak:.2f} GB'
    lines.append(f'peak memory {said}; u = {report["u_seconds"]:.3f} s')
    return '\n'.join(lines)
