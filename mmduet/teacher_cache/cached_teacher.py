"""A teacher whose targets were written to disk before: they are read from there, its weights are not loaded."""
from collections.abc import Callable, Mapping, Set
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from numpy.typing import NDArray
from torch import Tensor

from mmduet.io.files import find_file
from mmduet.models.base_teacher import BaseTeacher
from mmduet.models.moving import move
from mmduet.models.teachers.weights_identity import ABSENT
from mmduet.registry import MODELS
from mmduet.structures import GroundingBatch, Source, TeacherTargets, View
from mmduet.teacher_cache.identity import has_bias, identify_teacher, width_of
from mmduet.teacher_cache.store import MANIFEST, CacheError, CacheSection, differences, read_manifest

CACHED = frozenset({'text', 'region', 'image', 'others', 'similarity', 'logit_scale'})
Floats = NDArray[np.floating[Any]]


@MODELS.register_module()
class CachedTeacher(BaseTeacher):
    """The targets that ``mmduet cache-teacher`` wrote of a teacher, as float32 on the device of the batch.

    It gives what the teacher does, with one difference: the teacher sees the image as augmented, the cache was made from the
    image itself and from its mirror image. So

    * ``text`` is that of the words as they are in the batch, mirrored or not: the same;
    * ``image``, ``region`` and ``others`` are those of the whole image and of the uncut boxes, mirrored where the view is,
      however it was cropped, resized, jittered in colour or blurred;
    * ``logit_scale`` and ``logit_bias`` are the teacher's;
    * ``similarity`` is read from the map of the whole image at the part that the view shows: equal without a crop,
      coarser than the teacher's own map of a crop.

    Without augmentation, or with mirroring alone, both agree to the precision of float16 and of the resize to the canvas.
    ``patches`` are not cached.

    Nothing is read at construction. ``init_weights``, which MMEngine's runner calls before training, or else the first call
    opens the cache; it is refused unless teacher, data and checksums are those it was made with.

    Args:
        cache: folder that the tool wrote (a relative one is looked for in the working directory, then beside the package).
        teacher: config of the teacher, which is not built.
    """

    def __init__(self, cache: str | Path, teacher: dict[str, Any]) -> None:
        super().__init__()
        self.cache = Path(cache)
        self.teacher = teacher
        self._identity: dict[str, Any] | None = None
        self._sections: dict[tuple[str, str], CacheSection] = {}

    @property
    def gives(self) -> frozenset[str]:  # type: ignore[override]  # known once the cache is there
        """Every cached target; ``logit_bias`` where the cache has one, without a cache where the teacher's model has one."""
        manifests = self._find_manifests()
        biased = has_bias(self.teacher) if not manifests else read_manifest(manifests[0].parent)['logit_bias'] is not None
        return CACHED | {'logit_bias'} if biased else CACHED

    @property
    def embed_dims(self) -> int | None:  # type: ignore[override]  # known once the cache is there
        """D, by the cache; by the teacher's config where there is none yet."""
        manifests = self._find_manifests()
        return int(read_manifest(manifests[0].parent)['embed_dims']) if manifests else width_of(self.teacher)

    def init_weights(self) -> None:
        """Open the cache.

        Raises:
            CacheError: there is none, or it is of another teacher.
        """
        manifests = self._find_manifests()
        if not manifests:
            raise CacheError(f'{self.cache} holds no cache of a teacher; make it with: mmduet cache-teacher CONFIG')
        for path in manifests:
            self._check_teacher(path.parent, read_manifest(path.parent))

    def forward(self, batch: GroundingBatch, required: Set[str]) -> TeacherTargets:
        """See ``BaseTeacher.forward``; sources, views and texts of the batch are read, no pixel.

        Raises:
            CacheError: the cache does not belong to teacher or data, is damaged, or lacks an entry; says what to do.
        """
        device = batch.pixels.device
        entries = [self._find(source, batch.views[image], text)
                   for source, image, text in zip(batch.sources, batch.owner, batch.texts, strict=True)]
        views = [batch.views[image] for image in batch.owner]
        targets: dict[str, Callable[[], Tensor]] = {
            'text': lambda: _stack([entry.text for entry in entries], device),
            'region': lambda: _stack([entry.region for entry in entries], device),
            'image': lambda: _stack([entry.image for entry in entries], device),
            'similarity': lambda: _similarity_of_views([entry.similarity for entry in entries], views, device),
            'others': lambda: _gather_others(entries, batch),
            **{name: partial(_number, entries[0].manifest, name, device) for name in ('logit_scale', 'logit_bias')},
        }
        return TeacherTargets(**{name: targets[name]() for name in sorted(required)})

    def _find_manifests(self) -> list[Path]:
        try:
            return sorted(find_file(self.cache).glob(f'*/*/{MANIFEST}'))
        except FileNotFoundError:
            return []

    def _find(self, source: Source, view: View, text: str) -> '_Entry':
        key = (str(source.dataset), str(source.split))
        if key not in self._sections:
            self._sections[key] = self._open(*key, source)
        section = self._sections[key]
        data = section.manifest['data']
        if source.data_hash != data['annotations_sha256']:
            raise CacheError(f'the cache {section.folder} was made from other data: its annotations of {key[1]} have SHA-256 '
                             f'{data["annotations_sha256"]}, those of expression {source.expression_id!r} have '
                             f'{source.data_hash}. Make it anew with: {section.manifest["command"]} --redo')
        return _Entry(section, source, view, text)

    def _open(self, dataset: str, split: str, source: Source) -> CacheSection:
        manifests = self._find_manifests()
        folder = next((path.parent for path in manifests if path.parts[-3:-1] == (dataset, split)), None)
        if folder is None:
            # Any other section knows the config.
            config = read_manifest(manifests[0].parent)['config'] if manifests else 'CONFIG'
            raise CacheError(f'the cache {self.cache} has no entry for expression {source.expression_id!r} of split '
                             f'{split!r} of {dataset!r}; add it with: mmduet cache-teacher {config} --out '
                             f'{self.cache} --splits {split}')
        self._check_teacher(folder, read_manifest(folder))
        return CacheSection(folder)

    def _check_teacher(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        if self._identity is None:
            self._identity = identify_teacher(self.teacher)
        there, wanted = dict(manifest['teacher']), dict(self._identity)
        if str(wanted.get('weights')).startswith(ABSENT):
            print_log(f'the weights of the teacher, {wanted["weights"]}, cannot be compared with those of the cache {folder} '
                      f'({there.get("weights")})', logger='current', level=30)
            wanted['weights'] = there.get('weights')
        found = differences(there, wanted)
        if found:
            raise CacheError(f'the cache {folder} is of another teacher: {"; ".join(found)}. Make it anew with: '
                             f'{manifest["command"]} --redo')


class _Entry:
    """The rows of one expression.

    Args:
        section: the expression's.
        source, view, text: of the expression.

    Raises:
        CacheError: the expression, or its mirror image, or its words are not there.
    """

    def __init__(self, section: CacheSection, source: Source, view: View, text: str) -> None:
        self._section = section
        self._source = source
        self._view = int(view.flip)
        position = section.position.get(str(source.expression_id))
        if position is None:
            raise self._missing('it')
        self._position = position
        index = section.index
        if self._view and len(section.manifest['views']) < 2:
            raise self._missing('its mirrored image')
        row = (index.mirrored_text if self._view else index.text)[position]
        self._text_row = section.text_row.get(text, -1)
        if row < 0 or row != self._text_row:
            raise self._missing(f'its words {text!r}{" with the mirrored image" if self._view else ""}')

    @property
    def manifest(self) -> dict[str, Any]:
        """Of its section."""
        return self._section.manifest

    @property
    def text(self) -> Floats:
        """(D,)."""
        return self._section.tables['text'][self._text_row]

    @property
    def image(self) -> Floats:
        """(D,)."""
        return self._section.tables['image'][self._section.index.image[self._position]][self._view]

    @property
    def region(self) -> Floats:
        """(D,)."""
        return self._section.tables['crop'][self._section.index.crop[self._position]][self._view]

    @property
    def similarity(self) -> Floats:
        """(h, w), of the whole image."""
        if 'similarity' not in self._section.tables:
            raise CacheError(f'the cache {self._section.folder} holds no similarity: its teacher gives no patch features. Take '
                             'a contrast by location alone: one of the patches contrast_location, ranked_location and '
                             'drawn_location')
        return self._section.tables['similarity'][self._position][self._view]

    def others(self) -> dict[int, Floats]:
        """(D,) of each other annotated box, by its column in the batch."""
        index, data = self._section.index, self._section.manifest['data']
        if not self._source.others:
            return {}
        if index.others is None:
            raise self._missing('the other boxes of its image', ' --distractors')
        if self._source.objects_hash != data['objects_sha256']:
            raise CacheError(f'the cache {self._section.folder} was made from other boxes: its objects.jsonl has SHA-256 '
                             f'{data["objects_sha256"]}, that of the data {self._source.objects_hash}')
        rows = index.others[self._position]
        return {column: self._section.tables['crop'][rows[position]][self._view] for column, position in self._source.others}

    def _missing(self, what: str, flags: str = '') -> CacheError:
        name = self._source.expression_id
        return CacheError(f'the cache {self._section.folder} has no entry for expression {name!r}: {what} was not cached; '
                          f'add it with: {self._section.manifest["command"]}{flags} --redo')


def _number(manifest: Mapping[str, Any], name: str, device: torch.device) -> Tensor:
    """() float32, filled in on the device."""
    return torch.full((), manifest[name], dtype=torch.float32, device=device)


def _stack(rows: list[Floats], device: torch.device) -> Tensor:
    """(B, D) float32 of unit norm, which float16 keeps to three digits only."""
    return F.normalize(move(torch.from_numpy(np.stack(rows)), device).float(), dim=1)


def _gather_others(entries: list[_Entry], batch: GroundingBatch) -> Tensor:
    """(U, m, D) of unit norm, 0 where there is no box or one of no area."""
    shape, device = (*batch.other_boxes.shape[:2], len(entries[0].text)), batch.pixels.device
    found = np.zeros(shape, np.float32)
    for entry, image in zip(entries, batch.owner, strict=True):
        for column, row in entry.others().items():
            found[image, column] = row
    visible = (batch.other_boxes[..., 2:] > 0).all(dim=-1, keepdim=True)
    return F.normalize(move(torch.from_numpy(found), device), dim=2) * visible


def _similarity_of_views(maps: list[Floats], views: list[View], device: torch.device) -> Tensor:
    """(B, h, w) maps of the parts of the images that the views show, out of maps of the whole images."""
    windows = move(torch.tensor([view.window for view in views]), device)
    stacked = move(torch.from_numpy(np.stack(maps)), device).float()
    height, width = stacked.shape[1:]
    y, x = ((torch.arange(count, device=device) + 0.5) / count for count in (height, width))
    x = windows[:, 0, None] + x * (windows[:, 2] - windows[:, 0])[:, None]
    y = windows[:, 1, None] + y * (windows[:, 3] - windows[:, 1])[:, None]
    positions = torch.stack([x[:, None].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1)
    return F.grid_sample(stacked[:, None], 2 * positions - 1, mode='bilinear', padding_mode='border', align_corners=False)[:, 0]
