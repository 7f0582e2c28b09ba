"""Names of a package whose modules are imported when they are asked for, so that it can be imported without PyTorch."""
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, places: Mapping[str, str]) -> Callable[[str], object]:
    """The ``__getattr__`` of a package.

    Args:
        package: its ``__name__``.
        places: the module below it that has a name, by the name.

    >>> from mmduet.lazy_names import lazy_names
    >>> lazy_names('json', {'JSONDecoder': 'decoder'})('JSONDecoder').__module__
    'json.decoder'
    """
    def find(name: str) -> object:
        if name not in places:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        return getattr(import_module(f'{package}.{places[name]}'), name)

    return find
