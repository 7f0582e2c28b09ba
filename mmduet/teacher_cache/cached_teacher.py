"""A teacher that was asked before: its answers are looked up, its weights are not loaded."""
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from numpy.typing import NDArray
from torch import Tensor, nn

from mmduet.io.files import find_file
from mmduet.models.base_grounder import Samples
from mmduet.registry import MODELS
from mmduet.structures import TeacherTargets
from mmduet.teacher_cache.identity import ABSENT, identify_teacher
from mmduet.teacher_cache.store import MANIFEST, CacheError, CacheSection, differences, read_manifest

ANSWERS = frozenset({'text', 'region', 'image', 'similarity', 'distractors'})
Floats = NDArray[np.floating[Any]]


@MODELS.register_module()
class CachedTeacher(nn.Module):
    """What ``tools/cache_teacher.py`` wrote down of a teacher, as float32 on the device of the boxes.

    It answers as the teacher does, with one difference: the teacher sees the photo as augmented, the cache was made from the
    photo itself and from its mirror image. So

    * ``text`` is that of the words as they are in the sample, mirrored or not: the same;
    * ``image``, ``region`` and ``distractors`` are those of the whole photo and of the uncut boxes, mirrored where the sample
      is, however the sample was cropped, resized, jittered in colour or blurred;
    * ``similarity`` is read from the map of the whole photo at the part that the sample shows: equal without a crop,
      coarser than the teacher's own look at a crop.

    Without augmentation, or with mirroring alone, both agree to the precision of float16 and of the resize to the canvas.
    ``patches`` are not cached.

    Nothing is read at construction. ``init_weights``, which MMEngine's runner calls before training, or else the first call
    opens the cache; it is refused unless teacher, data and checksums are those it was made with.

    Args:
        cache: folder that the tool wrote (a relative one is looked for in the working directory, then beside the package).
        teacher: config of the teacher, which is not built.
    """

    reads_images = False

    def __init__(self, cache: str | Path, teacher: dict[str, Any]) -> None:
        super().__init__()
        self.cache = Path(cache)
        self.teacher = teacher
        self._identity: dict[str, Any] | None = None
        self._sections: dict[tuple[str, str], CacheSection] = {}

    @property
    def embed_dims(self) -> int | None:
        """D; None where there is no cache yet."""
        manifests = self._find_manifests()
        return int(read_manifest(manifests[0].parent)['embed_dims']) if manifests else None

    def init_weights(self) -> None:
        """Open the cache.

        Raises:
            CacheError: there is none, or it is of another teacher.
        """
        manifests = self._find_manifests()
        if not manifests:
            raise CacheError(f'{self.cache} holds no cache of a teacher; make it with: python tools/cache_teacher.py CONFIG')
        for path in manifests:
            self._check_teacher(path.parent, read_manifest(path.parent))

    def forward(self, images: Tensor, samples: Samples, boxes: Tensor, needs: Set[str]) -> TeacherTargets:
        """Look up what is needed about B expressions.

        Args:
            images: not looked at.
            samples: with the metainfo of ``GroundingDataset`` and its transforms.
            boxes: (B, 4); only their device is read.
            needs: names of fields of ``TeacherTargets``.

        Raises:
            CacheError: the cache does not belong to teacher or data, is damaged, or lacks an entry; says what to do.
        """
        if needs - ANSWERS:
            raise CacheError(f'a cached teacher answers {", ".join(sorted(ANSWERS))}, not '
                             f'{", ".join(sorted(needs - ANSWERS))}: take the online teacher')
        entries = [self._find(sample) for sample in samples]
        look_up: dict[str, Callable[[], Tensor]] = {
            'text': lambda: _stack([entry.text for entry in entries], boxes.device),
            'region': lambda: _stack([entry.region for entry in entries], boxes.device),
            'image': lambda: _stack([entry.image for entry in entries], boxes.device),
            'similarity': lambda: _look_through_windows([entry.similarity for entry in entries], samples, boxes.device),
            'distractors': lambda: nn.utils.rnn.pad_sequence(
                [torch.from_numpy(entry.distractors) for entry in entries], batch_first=True).to(boxes.device),
        }
        return TeacherTargets(**{name: look_up[name]() for name in sorted(needs)})

    def _find_manifests(self) -> list[Path]:
        try:
            return sorted(find_file(self.cache).glob(f'*/*/{MANIFEST}'))
        except FileNotFoundError:
            return []

    def _find(self, sample: Any) -> '_Entry':
        key = (sample.get('dataset_name'), sample.get('split'))
        if key not in self._sections:
            self._sections[key] = self._open(*key, sample)
        section = self._sections[key]
        data = section.manifest['data']
        if sample.get('data_hash') != data['annotations_sha256']:
            raise CacheError(f'the cache {section.folder} was made from other data: its annotations of {key[1]} have SHA-256 '
                             f'{data["annotations_sha256"]}, those of expression {sample.get("expression_id")!r} have '
                             f'{sample.get("data_hash")}. Make it anew with: {section.manifest["command"]} --redo')
        return _Entry(section, sample)

    def _open(self, dataset: str, split: str, sample: Any) -> CacheSection:
        manifests = self._find_manifests()
        folder = next((path.parent for path in manifests if path.parts[-3:-1] == (dataset, split)), None)
        if folder is None:
            # Any other section knows the config.
            config = read_manifest(manifests[0].parent)['config'] if manifests else 'CONFIG'
            raise CacheError(f'the cache {self.cache} has no entry for expression {sample.get("expression_id")!r} of split '
                             f'{split!r} of {dataset!r}; add it with: python tools/cache_teacher.py {config} --out '
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
    """The rows of one sample.

    Args:
        section: the sample's.
        sample: a data sample.

    Raises:
        CacheError: the expression, or its mirror image, or its words are not there.
    """

    def __init__(self, section: CacheSection, sample: Any) -> None:
        self._section = section
        self._sample = sample
        self._view = int(bool(sample.get('flip')))
        position = section.place.get(sample.expression_id)
        if position is None:
            raise self._missing('it')
        self._position = position
        index = section.index
        if self._view and len(section.manifest['views']) < 2:
            raise self._missing('its mirrored photo')
        row = (index.mirrored_text if self._view else index.text)[position]
        self._text_row = section.text_row.get(sample.text, -1)
        if row < 0 or row != self._text_row:
            raise self._missing(f'its words {sample.text!r}{" with the mirrored photo" if self._view else ""}')

    @property
    def text(self) -> Floats:
        """(D,)."""
        return self._section.tables['text'][self._text_row]

    @property
    def image(self) -> Floats:
        """(D,)."""
        return self._section.tables['image'][self._section.index.photo[self._position]][self._view]

    @property
    def region(self) -> Floats:
        """(D,)."""
        return self._section.tables['crop'][self._section.index.crop[self._position]][self._view]

    @property
    def similarity(self) -> Floats:
        """(h, w), of the whole photo."""
        if 'similarity' not in self._section.tables:
            raise CacheError(f'the cache {self._section.folder} holds no similarity: its teacher has no dense reading. Take a '
                             'sampler that reads no semantics (LocationSampler, RandomSampler)')
        return self._section.tables['similarity'][self._position][self._view]

    @property
    def distractors(self) -> NDArray[np.float32]:
        """(n, D) of unit norm, 0 where a box has no area."""
        index, data = self._section.index, self._section.manifest['data']
        width = int(self._section.manifest['embed_dims'])
        if 'distractors' not in self._sample or not len(self._sample.distractors.bboxes):
            return np.zeros((0, width), np.float32)
        if index.others is None:
            raise self._missing('the other boxes of its photo', ' --distractors')
        if self._sample.get('objects_hash') != data['objects_sha256']:
            raise CacheError(f'the cache {self._section.folder} was made from other boxes: its objects.jsonl has SHA-256 '
                             f'{data["objects_sha256"]}, that of the data {self._sample.get("objects_hash")}')
        others = index.others[self._position]
        rows = [self._section.tables['crop'][others[place]][self._view] for place in self._sample.distractors.index.tolist()]
        found = np.stack(rows).astype(np.float32)
        corners = self._sample.distractors.bboxes.numpy()
        visible = (corners[:, 2:] > corners[:, :2]).all(axis=1, keepdims=True)
        unit: NDArray[np.float32] = visible * found / np.linalg.norm(found, axis=1, keepdims=True)
        return unit.astype(np.float32)

    def _missing(self, what: str, flags: str = '') -> CacheError:
        name = self._sample.get('expression_id')
        return CacheError(f'the cache {self._section.folder} has no entry for expression {name!r}: {what} was not cached; '
                          f'add it with: {self._section.manifest["command"]}{flags} --redo')


def _stack(rows: list[Floats], device: torch.device) -> Tensor:
    """(B, D) float32 of unit norm, which float16 keeps to three digits only."""
    return F.normalize(torch.from_numpy(np.stack(rows)).to(device, non_blocking=True).float(), dim=1)


def _look_through_windows(maps: list[Floats], samples: Samples, device: torch.device) -> Tensor:
    """(B, h, w) maps of the parts of the photos that the samples show, out of maps of the whole photos."""
    windows = torch.tensor([_seen_part(sample) for sample in samples], device=device)
    stacked = torch.from_numpy(np.stack(maps)).to(device, non_blocking=True).float()
    height, width = stacked.shape[1:]
    y, x = ((torch.arange(cells, device=device) + 0.5) / cells for cells in (height, width))
    x = windows[:, 0, None] + x * (windows[:, 2] - windows[:, 0])[:, None]
    y = windows[:, 1, None] + y * (windows[:, 3] - windows[:, 1])[:, None]
    grid = torch.stack([x[:, None].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1)
    return F.grid_sample(stacked[:, None], 2 * grid - 1, mode='bilinear', padding_mode='border', align_corners=False)[:, 0]


def _seen_part(sample: Any) -> tuple[float, float, float, float]:
    """xyxy corners in [0, 1] of the photo, mirrored if the sample is, of what the sample shows of it."""
    height, width = sample.ori_shape
    x1, y1, x2, y2 = sample.get('photo_window', (0, 0, width, height))
    if sample.get('flip'):
        x1, x2 = width - x2, width - x1
    return x1 / width, y1 / height, x2 / width, y2 / height
