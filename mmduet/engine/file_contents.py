"""What files hold that a training reads by their paths and its checkpoints do not: annotations, the weights of a teacher."""
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.config import Config
from mmengine.dist import all_gather_object

from mmduet.datasets.grounding_dataset import GroundingDataset, parts_of
from mmduet.io.files import find_file, sha256_of

if TYPE_CHECKING:
    from mmduet.engine.runner import GroundingRunner

# Parts of a model whose files decide what is learnt as long as training lasts; those of a student are where it began.
READ_THROUGHOUT = ('teacher', 'head')
INITIAL = 'init_cfg'
Contents = dict[str, tuple[str, str]]


def describe_contents(runner: 'GroundingRunner') -> Contents:
    """The name for people and the SHA-256 of each file, by a key that does not depend on where it lies; all ranks must ask.

    The first rank reads the files of teachers, a CLIP of 600 MB in less than two seconds. Annotations were read before; images
    are not compared.
    """
    found: Contents = {}
    if runner.rank == 0:
        found = {key: (str(path), sha256_of(path)) for key, path in _files_of_model(runner.cfg)}
        for number, dataset in enumerate(annotated(runner.train_dataloader.dataset)):
            for split, content in dataset.annotations.hashes.items():
                found[f'annotations {number} {split}'] = (f'annotations of split {split!r} in {dataset.data_root}', content)
    contents: Contents = all_gather_object(found)[0]
    return contents


def _files_of_model(cfg: Config) -> Iterator[tuple[str, Path]]:
    model = cfg._to_lazy_dict().get('model')
    for part in READ_THROUGHOUT if isinstance(model, Mapping) else ():
        for key, path in _files(model.get(part), f'model.{part}'):
            yield key, path
            # What open_clip reads with the weights.
            if key.endswith('.pretrained') and (beside := path.with_name('open_clip_config.json')).is_file():
                yield f'beside {key}', beside


def _files(node: Any, place: str) -> Iterator[tuple[str, Path]]:
    if isinstance(node, Mapping | list | tuple):
        for key, value in node.items() if isinstance(node, Mapping) else enumerate(node):
            if key != INITIAL:
                yield from _files(value, f'{place}.{key}')
    elif isinstance(node, str | Path) and node:
        try:
            path = find_file(node)
        except (OSError, ValueError):  # a name, a tag of open_clip, a sentence
            return
        if path.is_file():
            yield place, path


def identify_annotations(dataset: Any) -> str:
    """A name of the annotations of a data set that is another one where a split or a line is; empty for one without."""
    found = sorted((len(each), *item) for each in annotated(dataset) for item in each.annotations.hashes.items())
    return sha256_of(repr(found).encode())[:16] if found else ''


def annotated(dataset: Any) -> Iterator[GroundingDataset]:
    """The data sets of annotation files in one, itself or those that it joins or wraps."""
    if isinstance(dataset, GroundingDataset):
        yield dataset
        return
    for inner in parts_of(dataset):
        yield from annotated(inner)
