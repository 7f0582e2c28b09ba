"""Try every crafted file and print what became of them: ``python -m tests.hostile``; 1 where one is not as it should be."""
import sys
import tempfile
from pathlib import Path

import torch

from tests.hostile.case import Harmless
from tests.hostile.corpus import BY_KIND, try_case


def main() -> int:
    """Print a line for each kind of file, and every problem."""
    torch.set_num_threads(1)
    problems, total, readings = 0, 0, 0
    print(f'{"kind":20}{"files":>7}{"readings":>10}{"refused":>9}{"harmless":>10}{"problems":>10}')
    for kind, cases in BY_KIND.items():
        bad = []
        for case in cases:
            with tempfile.TemporaryDirectory(prefix='mmduet_hostile_') as folder:
                bad += [f'{case.name}: {problem}' for problem in try_case(case, Path(folder))]
        harmless = sum(isinstance(case.expected, Harmless) for case in cases)
        tried = sum(len(case.doors) for case in cases)
        print(f'{kind.replace("_", " "):20}{len(cases):7}{tried:10}{len(cases) - harmless:9}{harmless:10}{len(bad):10}')
        print('\n'.join(bad), end='\n' if bad else '')
        problems, total, readings = problems + len(bad), total + len(cases), readings + tried
    print(f'{total} crafted files, {readings} readings, {problems} problems')
    return int(problems > 0)


if __name__ == '__main__':
    sys.exit(main())
