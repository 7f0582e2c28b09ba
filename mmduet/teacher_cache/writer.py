"""Asking a teacher once about everything in a plan, shard by shard."""
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmduet.io.errors import ImageError
from mmduet.io.images import ImageArray, read_image
from mmduet.teacher_cache.plan import CachePlan
from mmduet.teacher_cache.store import CacheError, Rows, Shard, find_checksum, write_shard

Numbers = np.ndarray[Any, np.dtype[np.float32]]
TEXT_BATCH, CROP_BATCH = 256, 64


class CacheWriter:
    """Writes shards of a section; those that are there and whole are kept.

    Args:
        teacher: a built ``CLIPTeacher``.
        plan: of the section.
        folder: of the section; it exists.
        batch_size: images that go through the teacher together; it may change the last bit of an embedding.
        decoders: threads that decode images ahead.
    """

    def __init__(self, teacher: Any, plan: CachePlan, folder: Path, batch_size: int = 32, decoders: int = 1) -> None:
        self._teacher = teacher
        self._plan = plan
        self._folder = folder
        self._batch_size = batch_size
        self._decoders = decoders
        self._device = next(teacher.parameters()).device
        self._texts: Rows | None = None

    def write(self, shards: Sequence[Shard], number: int) -> bool:
        """Write shard ``number``, unless it is there.

        Returns:
            Whether it was written.

        Raises:
            CacheError: the disk is full or refuses; what is written stays.
            ImageError: an image is missing or broken.
        """
        shard = shards[number]
        if find_checksum(self._folder, shard) is not None:
            return False
        kind = 'text' if 'text' in shard.parts else 'image'
        first = sum(before.parts[kind][0] for before in shards[:number] if kind in before.parts)
        if kind == 'text':
            arrays = self._encode_texts(self._plan.index.texts[first:first + shard.parts['text'][0]])
        else:
            arrays = self._encode_shard(shard, first, [other for other in shards if 'text' in other.parts])
        try:
            write_shard(self._folder, shard, arrays)
        except OSError as error:
            done = sum((self._folder / shard.name).exists() for shard in shards)
            raise CacheError(f'{self._folder / shard.name} cannot be written: {error.strerror or error}. {done} of '
                             f'{len(shards)} shards are written and stay: make room and run the same command again') from error
        return True

    def _encode_texts(self, texts: Sequence[str]) -> dict[str, Numbers]:
        # Texts of a length go together, as a batch costs what its longest costs.
        order = sorted(range(len(texts)), key=lambda position: (len(texts[position].split()), texts[position]))
        rows = np.empty((len(texts), self._teacher.embed_dims), np.float32)
        for start in range(0, len(order), TEXT_BATCH):
            chosen = order[start:start + TEXT_BATCH]
            rows[chosen] = self._teacher.embed_texts([texts[position] for position in chosen]).cpu().numpy()
        return {'text': rows}

    def _encode_shard(self, shard: Shard, first: int, texts: Sequence[Shard]) -> dict[str, Numbers]:
        rows = range(first, first + shard.parts['image'][0])
        arrays = {name: np.zeros(shape, np.float32) for name, shape in shard.parts.items()}
        crop_start, expression_start = (ends[first - 1] if first else 0
                                        for ends in (self._plan.crop_ends, self._plan.expression_ends))
        for batch, pixels in self._decode(rows):
            for view in range(shard.parts['image'][1]):
                images, crops, patches = self._encode_images(batch, pixels, mirrored=bool(view), dense='similarity' in arrays)
                arrays['image'][batch[0] - first:batch[-1] + 1 - first, view] = images.cpu().numpy()
                end = self._plan.crop_ends[batch[-1]] - crop_start
                arrays['crop'][end - len(crops):end, view] = crops.cpu().numpy()
                if patches is not None:
                    start = self._plan.expression_ends[batch[0] - 1] if batch[0] else 0
                    end = self._plan.expression_ends[batch[-1]]
                    arrays['similarity'][start - expression_start:end - expression_start, view] = \
                        self._compare(range(start, end), batch[0], patches, bool(view), texts)
        return arrays

    def _decode(self, rows: range) -> Iterator[tuple[range, list[ImageArray]]]:
        """Batches of images, decoded ahead while the teacher encodes those before."""
        batches = [rows[start:start + self._batch_size] for start in range(0, len(rows), self._batch_size)]
        with ThreadPoolExecutor(self._decoders) as pool:
            ahead: deque[list[Future[ImageArray]]] = deque()
            waiting = iter(batches)
            for batch in batches:
                for coming in itertools.islice(waiting, 2 - len(ahead)):
                    ahead.append([pool.submit(self._read, image) for image in coming])
                yield batch, [task.result() for task in ahead.popleft()]

    def _read(self, image: int) -> ImageArray:
        path = self._plan.images[image]
        pixels = read_image(path)
        width, height = self._plan.sizes[image].tolist()
        if pixels.shape[:2] != (height, width):
            raise ImageError(f'{path} is {pixels.shape[1]} x {pixels.shape[0]} pixels, its annotation says {width} x {height}')
        return pixels

    @torch.no_grad()
    def _encode_images(self, batch: range, pixels: Sequence[ImageArray], mirrored: bool,
                       dense: bool) -> tuple[Tensor, Tensor, Tensor | None]:
        """Embeddings of n images, of their crops, and (n, D, h, w) of the images' patches."""
        side = max(max(image.shape[:2]) for image in pixels)
        canvases = torch.zeros(len(pixels), 3, side, side, device=self._device)
        for canvas, image in zip(canvases, pixels, strict=True):
            content = torch.from_numpy(np.ascontiguousarray(image[:, ::-1] if mirrored else image)).to(self._device)
            canvas[:, :image.shape[0], :image.shape[1]] = content.permute(2, 0, 1).float() / 255
        windows = torch.tensor([[0, 0, image.shape[1], image.shape[0]] for image in pixels], device=self._device)
        boxes = [self._plan.boxes_of(image, mirrored) for image in batch]
        owner = torch.tensor([number for number, some in enumerate(boxes) for _ in some], device=self._device)
        corners = torch.tensor(np.concatenate(boxes), dtype=torch.float32, device=self._device) / side
        teacher = self._teacher
        centred = torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], dim=1)
        given: dict[str, Tensor] = {}
        crops: list[Tensor] = []
        # Regions that the tower looks at fill its memory; patches of the images do not, and are computed once.
        most = CROP_BATCH if teacher.shows_regions else len(owner)
        for chosen in torch.arange(len(owner), device=self._device).split(most):
            more = teacher.embed_regions(canvases, windows, {'region': (centred[chosen], owner[chosen])},
                                         whole=not crops, dense=dense and not crops)
            given = given or more
            crops.append(more['region'])
        return given['image'], torch.cat(crops), given.get('patches')

    def _compare(self, expressions: range, first_image: int, patches: Tensor, mirrored: bool,
                 texts: Sequence[Shard]) -> Numbers:
        """(k, h, w) cosines of the patches of each expression's image with its words; 0 where it is never mirrored."""
        index = self._plan.index
        rows = np.array((index.mirrored_text if mirrored else index.text)[expressions.start:expressions.stop])
        owner = torch.tensor(index.image[expressions.start:expressions.stop], device=self._device) - first_image
        said = np.where(rows[:, None] < 0, np.float32(0), self._all_texts(texts)[np.maximum(rows, 0)].astype(np.float32))
        return torch.einsum('edhw,ed->ehw', patches[owner], torch.from_numpy(said).to(self._device)).cpu().numpy()

    def _all_texts(self, texts: Sequence[Shard]) -> Rows:
        """(T, D) embeddings of all texts, as written before by whichever rank."""
        if self._texts is None:
            blocks = []
            for shard in texts:
                if find_checksum(self._folder, shard) is None:
                    raise CacheError(f'{self._folder / shard.name} was not written: run the same command again')
                content = np.fromfile(self._folder / shard.name, dtype='<f2', count=shard.payload // 2)
                blocks.append(content.reshape(shard.parts['text']))
            self._texts = np.concatenate(blocks)
        return self._texts


def share(shards: Sequence[Shard], rank: int, world: int, is_mine: Callable[[Shard], bool]) -> list[int]:
    """Numbers of the shards of a kind that a rank writes: every ``world``-th."""
    return [number for number, shard in enumerate(shards) if is_mine(shard)][rank::world]
