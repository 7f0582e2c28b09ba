"""What is wrong with the bases of a config that MMEngine could not read: it names neither the file nor the base."""
import ast
import importlib.util
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from traceback import walk_tb

from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError
from mmengine.utils import get_installed_path

from mmduet.io.config_files import nearest
from mmduet.io.data_configs import SUFFIXES


def describe_bases(config: Path, error: BaseException) -> str | None:
    """The first fault of a config's text, or of the way in which it or a base names a base; None where none is seen.

    Args:
        error: what MMEngine raised.

    Returns:
        A sentence that names the file, the line and the base.
    """
    return next(_faults(config, error, (config.resolve(), )), None)


def _faults(config: Path, error: BaseException, chain: tuple[Path, ...]) -> Iterator[str]:
    tree = ast.Module([], [])
    if config.suffix not in SUFFIXES:
        content = config.read_bytes()
        if b'\0' in content:
            yield f'{config} is no config but a binary file: of the two, a command takes the config before the checkpoint'
            return
        try:
            tree = ast.parse(content, str(config))
        except SyntaxError as fault:
            yield f'{config}, line {fault.lineno} is no Python: {fault.msg}'
            return
    imports = [inner for statement in tree.body if isinstance(statement, ast.With) and _reads_bases(statement)
               for inner in statement.body]
    bases = [(_place(config, each), *_imported(each, config)) for each in imports] or list(_listed(config, tree))
    for place, name, file, fault_of_name in bases:
        if fault_of_name is not None or file is None:
            yield f'{place}: {fault_of_name}'
        elif not file.is_file():
            near = nearest(file.stem, [path.stem for path in file.parent.glob(f'*{file.suffix}')])
            yield f'{place}: there is no base {name}: {file} is not there{near}'
        elif file.resolve() in chain:
            yield f'{place}: the base {name} inherits from this file, or is it'
        elif file.suffix not in ('.py', *SUFFIXES):
            yield f'{place}: the base {name} is no config: it must end in .py, {", ".join(SUFFIXES)}'
        else:
            yield from _faults(file, error, (*chain, file.resolve()))
            if (clash := _clash(file, bool(imports))) is not None:
                yield (f'{place}: the base {name} {clash}: configs that inherit from each other all say read_base(), or all '
                       '_base_')
    missing = error.args[0] if isinstance(error, KeyError) and error.args and not _is_of_code(error, config) else None
    for statement in imports:
        if isinstance(statement, ast.ImportFrom) and missing in [each.name for each in statement.names]:
            yield f'{_place(config, statement)}: the base {_dotted(statement)} has no {missing}'


def _place(config: Path, statement: ast.stmt) -> str:
    return f'{config}, line {statement.lineno}'


def _reads_bases(statement: ast.With) -> bool:
    call = statement.items[0].context_expr
    return isinstance(call, ast.Call) and getattr(call.func, 'id', '') == 'read_base'


def _is_of_code(error: BaseException, config: Path) -> bool:
    """Whether the code of a config raised an error, so that its bases had been read."""
    return any(Path(frame.f_code.co_filename).resolve() == config.resolve() for frame, _ in walk_tb(error.__traceback__))


def _clash(base: Path, imported: bool) -> str | None:
    """Why a base cannot be one of a file that imports its bases, or else lists them; None where it can."""
    statements = ast.parse(base.read_bytes()).body if base.suffix not in SUFFIXES else []
    if any(_is_list(each) if imported else isinstance(each, ast.With) and _reads_bases(each) for each in statements):
        return 'inherits in the other way'
    with suppress(AttributeError, ConfigParsingError):  # of another manager than read_base()
        if not imported and Config._is_lazy_import(str(base)):
            return "imports what is not of Python's own library, which goes with read_base() alone"
    return None


def _is_list(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and getattr(statement.targets[0], 'id', '') == '_base_'


def _dotted(statement: ast.ImportFrom) -> str:
    return '.' * statement.level + (statement.module or '')


def _imported(statement: ast.stmt, config: Path) -> tuple[str, Path | None, str | None]:
    """The name of a base of ``read_base()``, and its file or what is wrong with the name."""
    if not isinstance(statement, ast.ImportFrom) or statement.module is None:
        said = ast.unparse(statement)
        return said, None, f'"{said}" names no base: below read_base() stands from FILE import *, with the file by its module'
    name, (top, *inner) = _dotted(statement), statement.module.split('.')
    if statement.level:
        folder = config.parent.joinpath(*['..'] * (statement.level - 1)).resolve()
        return name, folder.joinpath(top, *inner).with_suffix('.py'), None
    if not inner:
        return name, None, f'the base {name} is no file of a package; one beside this file begins with a dot, as in .{name}'
    try:
        return name, Path(get_installed_path(top), *inner).with_suffix('.py'), None
    except PackageNotFoundError:
        try:
            spec = importlib.util.find_spec(top)
        except ValueError:  # a module without a file to be found, as __main__
            spec = None
        if spec is None:
            return name, None, f'the base {name} is not there: there is no package {top}'
        folders = ', '.join(spec.submodule_search_locations or ())
        return name, None, (f'the base {name} cannot be read: MMEngine reads bases of packages alone, and {folders} is none '
                            'without an __init__.py')


def _listed(config: Path, tree: ast.Module) -> Iterator[tuple[str, str, Path | None, str | None]]:
    """The place and name of each base of ``_base_``, and its file or what is wrong with the name."""
    place = next((_place(config, statement) for statement in tree.body if _is_list(statement)), str(config))
    for name in Config._get_base_files(str(config)):
        if '{{' in name:
            continue  # MMEngine puts a value there
        try:
            yield place, name, Path(Config._get_cfg_path(name, str(config))[0]), None
        except FileNotFoundError as error:
            yield place, name, None, f'there is no base {name}: {error}'
        except (AssertionError, ImportError, ValueError) as error:
            yield place, name, None, f'the base {name} cannot be read: {error}'
