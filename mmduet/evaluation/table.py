"""Metrics as a table for people."""
from collections.abc import Mapping
from typing import Any


def format_table(metrics: Mapping[str, Any], whole: str) -> str:
    """Metrics in rows, splits in columns.

    Args:
        metrics: value by name, a number or, of a metric of somebody's own, anything; ``val/acc@0.5`` is a value of the column
            ``val``.
        whole: title of the column of names without a prefix.

    >>> from mmduet.evaluation.table import format_table
    >>> print(format_table({'acc@0.5': 50.0, 'miou': 43.21, 'val/acc@0.5': 60.0}, 'val+testA'))
    metric   val+testA    val
    acc@0.5      50.00  60.00
    miou         43.21
    """
    columns = list(dict.fromkeys(name.rpartition('/')[0] for name in metrics))
    rows = list(dict.fromkeys(name.rpartition('/')[2] for name in metrics))
    cells = [['metric', *(column or whole for column in columns)]]
    for row in rows:
        values = [metrics.get(f'{column}/{row}' if column else row) for column in columns]
        cells.append([row, *('' if value is None else f'{value:.2f}' if hasattr(value, '__float__') else str(value)
                             for value in values)])
    widths = [max(len(line[k]) for line in cells) for k in range(len(cells[0]))]
    lines = []
    for first, *others in cells:
        padded = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append('  '.join([first.ljust(widths[0]), *padded]).rstrip())
    return '\n'.join(lines)
