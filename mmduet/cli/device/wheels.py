"""What a bare machine with PyTorch lacks for the benchmark: the packages to carry there."""
import re
import sys
from collections.abc import Iterable
from importlib import metadata

# What such a machine has, with what these need.
BARE = ('torch', 'torchvision', 'transformers', 'timm')


def closure(names: Iterable[str]) -> set[str]:
    """Packages and what they need, as far as it is installed."""
    found: set[str] = set()
    waiting = [canonical(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        waiting += [canonical(re.split(r'[^\w.-]', line, maxsplit=1)[0]) for line in needed if 'extra ==' not in line]
    return found


def canonical(name: str) -> str:
    """The name of a package as indexes have it."""
    return re.sub(r'[-_.]+', '-', name).lower()


def carried() -> list[str]:
    """``name==version`` of the packages that this process has imported and a bare machine has not, without mmduet."""
    owners = metadata.packages_distributions()
    modules = {name.partition('.')[0] for name in sys.modules}
    used = {canonical(owner) for module in modules for owner in owners.get(module, ())}
    return [f'{name}=={metadata.version(name)}' for name in sorted(used - closure(BARE) - {'mmduet', 'pip', 'setuptools'})]
