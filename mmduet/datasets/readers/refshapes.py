"""RefShapes as ``tools/make_refshapes.py`` writes it: RefCOCO's official layout with a manifest that vouches for the files."""
import json
from dataclasses import replace
from pathlib import Path

from mmduet.datasets.readers.official_refcoco import read_official_refcoco
from mmduet.datasets.readers.source_data import SourceData
from mmduet.io.errors import DataError
from mmduet.io.files import sha256_of


def read_refshapes(source: Path) -> SourceData:
    """Read one folder; what its manifest says of seed, level and content goes into ``SourceData.about``.

    A folder without ``manifest.json`` is read as any other of that layout.

    Raises:
        DataError: a file is missing or broken, or is not the one that the manifest was written for.
    """
    data = read_official_refcoco(source, split_by='unc')
    path = source / 'manifest.json'
    if not path.is_file():
        return data
    try:
        manifest = json.loads(path.read_text(encoding='utf-8'))
        expected = {name: manifest['files'][name] for name in ('instances.json', 'refs(unc).p')}
        about = {name: manifest[name] for name in ('seed', 'level', 'size', 'expressions', 'scenes', 'sha256')}
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path} is not a manifest of RefShapes ({type(error).__name__}: {error}); make the data again with '
                        'tools/make_refshapes.py') from error
    for name, digest in expected.items():
        if sha256_of(source / name) != digest:
            raise DataError(f'{source / name} is not the file that {path} was written for; make the data again with '
                            'tools/make_refshapes.py')
    return replace(data, about=about)
