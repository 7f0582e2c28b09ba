"""Reading pickles from the internet without running what they say."""
import pickle
from pathlib import Path
from typing import Any

from mmduet.io.errors import DataError

# What the annotation pickles of the RefCOCO family are made of; None and bool need no class.
ALLOWED_CLASSES: dict[str, type] = {'list': list, 'dict': dict, 'tuple': tuple, 'str': str, 'unicode': str, 'int': int,
                                    'long': int, 'float': float}


class _PlainUnpickler(pickle.Unpickler):
    """Admits plain containers, text and numbers, of Python 2 (``__builtin__``) and 3."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ('builtins', '__builtin__') and name in ALLOWED_CLASSES:
            return ALLOWED_CLASSES[name]
        raise pickle.UnpicklingError(f'refuses to load the class {module}.{name}; '
                                     'only list, dict, tuple, str, int and float are admitted')


def load_plain_pickle(path: str | Path) -> Any:
    """Load a pickle of lists, dicts, tuples, text and numbers; nothing in it is executed.

    Raises:
        DataError: the file is missing, empty, truncated or corrupt, or asks for any other class; names the file and the class.
    """
    path = Path(path)
    try:
        with path.open('rb') as file:
            return _PlainUnpickler(file, encoding='latin1').load()
    except FileNotFoundError as error:
        raise DataError(f'{path} does not exist') from error
    except pickle.UnpicklingError as error:
        raise DataError(f'{path}: {error}') from error
    except (EOFError, ValueError, LookupError, TypeError, AttributeError, MemoryError, ArithmeticError,
            RecursionError) as error:
        raise DataError(f'{path} is empty, corrupt or no pickle ({type(error).__name__}: {error})') from error
