"""Figures that the students' authors and others have published, from the metafiles beside the configs."""
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import yaml

from mmduet.evaluation.report.cases import Cases
from mmduet.io.errors import DataError
from mmduet.io.files import find_file

# Names of data roots, and what metafiles call them.
DATASETS = {'refcoco_unc': 'RefCOCO', 'refcocoplus_unc': 'RefCOCO+', 'refcocog_umd': 'RefCOCOg umd',
            'refcocog_google': 'RefCOCOg google', 'referit': 'ReferItGame', 'flickr30k': 'Flickr30K Entities'}
METRIC = 'Acc@0.5'
_CONFIGS = 'mmduet/configs'


class Published(NamedTuple):
    """One figure, Acc@0.5 in percent, of a model on a split."""

    collection: str
    model: str
    split: str
    value: float


def find_published(cases: Cases, folder: Path | None = None) -> list[Published]:
    """Published figures of the data set and splits of the cases, by model; none where the data set has no metafile's name.

    Args:
        folder: with the metafiles, one in each of its folders; None for the configs of the package.

    Raises:
        DataError: a metafile cannot be read; names it.
    """
    names = {_dataset_of(path) for path in cases.paths}
    dataset = DATASETS.get(names.pop() or '') if len(names) == 1 else None
    if dataset is None:
        return []
    splits = {f'{dataset} {split}': split for split in dict.fromkeys(annotation.split for annotation in cases.annotations)}
    return [one for path in sorted((folder or find_file(_CONFIGS)).glob('*/metafile.yml')) for one in _read(path, splits)]


def _read(path: Path, splits: dict[str, str]) -> Iterable[Published]:
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
        for model in content['Models']:
            for result in [*(model.get('Paper Results') or ()), *(model.get('Results') or ())]:
                if result['Dataset'] in splits and METRIC in result['Metrics']:
                    yield Published(str(model['In Collection']), str(model['Name']), splits[result['Dataset']],
                                    float(result['Metrics'][METRIC]))
    except (OSError, ValueError, TypeError, LookupError, yaml.YAMLError) as error:
        raise DataError(f'{path} is no metafile ({type(error).__name__}: {error})') from error


def _dataset_of(annotations: Path) -> str | None:
    """What the manifest of the data root says, in which an annotation file lies; None where there is none."""
    try:
        manifest = json.loads((annotations.resolve().parent.parent / 'manifest.json').read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None
    name = manifest.get('dataset') if isinstance(manifest, dict) else None
    return name if isinstance(name, str) else None
