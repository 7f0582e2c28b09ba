"""Run a tool as its command line does, in a forked child that has the imports of the tests already."""
import os
import sys

from tests.forking import Call, Finished, run_calls, run_ranks
from tests.load_tool import TOOLS, load_tool


def run_tool(name: str, *arguments: object, cwd: str | os.PathLike[str] | None = None, **environ: str | None) -> Finished:
    """Run ``python tools/NAME.py ARGUMENTS`` in ``cwd`` and wait for its end; ``environ`` changes the environment."""
    return run_calls([Call(_main, (name, *map(str, arguments)), cwd and str(cwd), environ)])[0]


def run_tool_on_ranks(world: int, name: str, *arguments: object, cwd: str | os.PathLike[str] | None = None,
                      **environ: str | None) -> list[Finished]:
    """Run a tool on ``world`` processes that train or test together, as ``tools/dist_train.sh`` starts them."""
    return run_ranks(world, _main, name, *map(str, arguments), '--launcher', 'pytorch', cwd=cwd, **environ)


def _main(name: str, *arguments: str) -> object:
    sys.argv = [str(TOOLS / f'{name}.py'), *arguments]
    return load_tool(name).main()
