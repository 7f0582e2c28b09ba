import errno
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmduet.datasets import ImageError
from mmduet.io.images import read_image
from mmduet.models.teachers import PatchView
from mmduet.registry import MODELS
from mmduet.teacher_cache import store
from mmduet.teacher_cache.plan import Geometry, lay_out, plan_section
from mmduet.teacher_cache.store import CacheError, find_checksum
from mmduet.teacher_cache.writer import CacheWriter, share
from tests.tiny_cache import build_dataset, load_config, make_cache_root


@pytest.fixture(scope='module')
def teacher(tmp_path_factory):
    return MODELS.build(load_config(tmp_path_factory.mktemp('none')).model.teacher)


@pytest.fixture
def job(tmp_path, teacher, monkeypatch):
    """Six images in three shards, and four texts in two."""
    monkeypatch.setattr('mmduet.teacher_cache.plan.TEXTS_PER_SHARD', 3)
    monkeypatch.setattr('mmduet.teacher_cache.plan.IMAGES_PER_SHARD', 2)
    dataset = build_dataset(make_cache_root(tmp_path / 'root'))
    plan = plan_section(dataset, 'train', mirrored=True)
    geometry = Geometry(embed_dims=64, feature_size=(8, 8), views=2, logit_scale=20.0)
    return plan, lay_out(len(plan.index.texts), plan.crop_ends, plan.expression_ends, geometry)


def write_all(teacher, job, folder, rank=0, world=1, **settings):
    folder.mkdir(exist_ok=True)
    plan, shards = job
    writers = [CacheWriter(teacher, plan, folder, **settings) for _ in range(world)]
    for is_text in (True, False):
        for number_of_rank, writer in enumerate(writers):
            for number in share(shards, number_of_rank, world, lambda shard, kind=is_text: ('text' in shard.parts) == kind):
                assert writer.write(shards, number)
    return folder


def read(folder, shard):
    flat = np.fromfile(folder / shard.name, '<f2', shard.payload // 2)
    ends = np.cumsum([int(np.prod(shape)) for shape in shard.parts.values()])
    parts = zip(shard.parts.items(), np.split(flat, ends[:-1]), strict=True)
    return {name: torch.from_numpy(part.reshape(shape).astype(np.float32)) for (name, shape), part in parts}


def embed(teacher, image, dense=0):
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float() / 255
    resized = F.interpolate(pixels[None], (64, 64), mode='bicubic', antialias=True).clamp(0, 1)
    return teacher.embed_images(resized, dense)


def test_rows_are_what_the_teacher_says_of_images_and_crops_made_by_hand(tmp_path, teacher, job):
    plan, shards = job
    plan.crops[6] = (2.0, 4.0, 12.0, 14.0)
    folder = write_all(teacher, job, tmp_path / 'cache', batch_size=1)
    rows = read(folder, shards[3])
    pixels = read_image(plan.images[3])
    for view, seen in enumerate((pixels, pixels[:, ::-1])):
        image, patches = embed(teacher, seen, 1)
        torch.testing.assert_close(rows['image'][1, view], image[0], atol=2e-3, rtol=0)
        words = ('the number 7 on the right', 'a red box')[1]
        similarity = torch.einsum('dhw,d->hw', patches[0], teacher.embed_texts([words])[0])
        torch.testing.assert_close(rows['similarity'][3, view], similarity, atol=2e-3, rtol=0)
    # The box (2, 4, 12, 14) times 1.2 is (1, 3, 13, 15); mirrored in an image of 32 columns, (19, 3, 31, 15).
    torch.testing.assert_close(rows['crop'][2, 0], embed(teacher, pixels[3:15, 1:13])[0][0], atol=2e-3, rtol=0)
    torch.testing.assert_close(rows['crop'][2, 1], embed(teacher, pixels[3:15, 1:13][:, ::-1])[0][0], atol=2e-3, rtol=0)
    torch.testing.assert_close(read(folder, shards[0])['text'], teacher.embed_texts(plan.index.texts[:3]), atol=1e-3, rtol=0)


def test_crops_of_many_batches_and_patches_in_their_place_are_cached(tmp_path, teacher, job, monkeypatch):
    whole = write_all(teacher, job, tmp_path / 'whole')
    monkeypatch.setattr('mmduet.teacher_cache.writer.CROP_BATCH', 2)
    pieces = write_all(teacher, job, tmp_path / 'pieces')
    for shard in job[1]:
        for name, rows in read(whole, shard).items():
            torch.testing.assert_close(read(pieces, shard)[name], rows, atol=2e-3, rtol=0)
    plan, shards = job
    monkeypatch.setattr(teacher, 'views', [PatchView()])
    passes, real = [], teacher.embed_images
    monkeypatch.setattr(teacher, 'embed_images', lambda images, count=0: passes.append(len(images)) or real(images, count))
    rows = read(write_all(teacher, job, tmp_path / 'patches'), shards[3])
    assert passes == [2] * 6 and not teacher.shows_regions  # three shards of two images, as they are and mirrored
    pixels = read_image(plan.images[3])
    _, patches = embed(teacher, pixels, 1)
    boxes = torch.tensor(plan.boxes_of(3, False), dtype=torch.float32)
    side = max(pixels.shape[:2])
    centred = torch.cat([boxes[:, :2] + boxes[:, 2:], 2 * (boxes[:, 2:] - boxes[:, :2])], dim=1) / (2 * side)
    content = torch.tensor([[0, 0, pixels.shape[1], pixels.shape[0]]] * len(boxes))
    expected = PatchView().pool(patches.expand(len(boxes), -1, -1, -1), centred, content, side)
    torch.testing.assert_close(rows['crop'][-len(boxes):, 0], expected, atol=2e-3, rtol=0)


def test_words_that_are_never_mirrored_have_no_map(tmp_path, teacher, job):
    plan, shards = job
    folder = write_all(teacher, job, tmp_path / 'cache')
    assert plan.index.mirrored_text[2] == -1
    maps = read(folder, shards[2])['similarity']
    assert maps[2, 1].abs().max() == 0 and maps[2, 0].abs().max() > 0 and maps[0, 1].abs().max() > 0


def test_two_ranks_write_the_same_bytes_as_one(tmp_path, teacher, job):
    one, two = write_all(teacher, job, tmp_path / 'one'), write_all(teacher, job, tmp_path / 'two', world=2)
    assert {path.name: path.read_bytes() for path in one.iterdir()} == {path.name: path.read_bytes() for path in two.iterdir()}
    assert len(list(one.iterdir())) == 5
    assert share(job[1], 1, 2, lambda shard: 'text' in shard.parts) == [1]


def test_finished_shards_are_kept_and_damaged_ones_written_again(tmp_path, teacher, job):
    plan, shards = job
    folder = write_all(teacher, job, tmp_path / 'cache')
    whole = {shard.name: (folder / shard.name).read_bytes() for shard in shards}
    (folder / shards[4].name).write_bytes(whole[shards[4].name][:-9])
    (folder / shards[0].name).unlink()
    writer = CacheWriter(teacher, plan, folder)
    assert [writer.write(shards, number) for number in range(5)] == [True, False, False, False, True]
    assert {shard.name: (folder / shard.name).read_bytes() for shard in shards} == whole


def test_a_full_disk_stops_in_a_sentence_and_the_run_goes_on_afterwards(tmp_path, teacher, job, monkeypatch):
    plan, shards = job
    folder = write_all(teacher, job, tmp_path / 'whole')
    other = tmp_path / 'other'
    other.mkdir()
    writer, real, written = CacheWriter(teacher, plan, other), store.write_atomically, []

    def until_full(path, content):
        if len(written) == 3:
            path.with_name('half.new').write_bytes(content[:7])
            path.with_name('half.new').unlink()
            raise OSError(errno.ENOSPC, 'No space left on device')
        written.append(path)
        real(path, content)

    monkeypatch.setattr(store, 'write_atomically', until_full)
    with pytest.raises(CacheError, match=r'image-00001.f16 cannot be written: No space left on device. 3 of 5 shards are '
                                         'written and stay: make room and run the same command again'):
        for number in range(5):
            writer.write(shards, number)
    assert all(find_checksum(other, shard) is not None for shard in shards[:3]) and len(list(other.iterdir())) == 3
    monkeypatch.setattr(store, 'write_atomically', real)
    assert [CacheWriter(teacher, plan, other).write(shards, number) for number in range(5)] == [False] * 3 + [True] * 2
    assert all((other / shard.name).read_bytes() == (folder / shard.name).read_bytes() for shard in shards)


def test_a_broken_image_and_a_text_that_is_not_written_yet_are_named(tmp_path, teacher, job):
    plan, shards = job
    writer = CacheWriter(teacher, plan, tmp_path)
    with pytest.raises(CacheError, match=r'text-00000\.f16 was not written'):
        writer.write(shards, 2)
    Path(plan.images[0]).write_bytes(b'')
    with pytest.raises(ImageError, match=r'train_0\.png is empty'):
        writer.write(shards, 2)
