import numpy as np
import pytest

from mmduet.teacher_cache.store import (
    FORMAT,
    CacheError,
    CacheIndex,
    CacheSection,
    Shard,
    differences,
    find_checksum,
    list_shards,
    read_manifest,
    write_manifest,
    write_shard,
)
from tests.flipping import flip_bits

SHARD = Shard(name='image-00000.f16', parts={'image': (2, 1, 3), 'crop': (1, 1, 3)})
IMAGE = np.arange(6).reshape(2, 1, 3) / 8
CROP = np.full((1, 1, 3), 0.25)
INDEX = CacheIndex(texts=['a'], ids=['1', '2'], image=[0, 1], crop=[0, 0], text=[0, 0], mirrored_text=[-1, -1], others=None)


def make_section(folder, complete=True):
    import hashlib
    folder.mkdir(exist_ok=True)
    second = Shard(name='image-00001.f16', parts={'image': (1, 1, 3)})
    write_shard(folder, SHARD, {'image': IMAGE, 'crop': CROP})
    write_shard(folder, second, {'image': IMAGE[:1] + 1})
    (folder / 'index.json').write_bytes(INDEX.encode())
    shards = [dict(name=shard.name, parts=shard.parts, sha256=find_checksum(folder, shard)) for shard in (SHARD, second)]
    manifest = dict(format=FORMAT, complete=complete, command='mmduet cache-teacher C', shards=shards,
                    index_sha256=hashlib.sha256(INDEX.encode()).hexdigest())
    write_manifest(folder, manifest)
    return folder


def test_rows_come_back_from_whichever_shard_they_lie_in(tmp_path):
    section = CacheSection(make_section(tmp_path))
    assert section.tables['image'][1].tolist() == [[0.375, 0.5, 0.625]]
    assert section.tables['image'][2].tolist() == [[1.0, 1.125, 1.25]]
    assert section.tables['crop'][0].tolist() == [[0.25, 0.25, 0.25]]
    assert section.index == INDEX and section.position == {'1': 0, '2': 1} and section.text_row == {'a': 0}
    assert isinstance(section.tables['image']._blocks[0].base.base, np.memmap)


def test_a_shard_is_two_bytes_per_number_and_a_checksum(tmp_path):
    write_shard(tmp_path, SHARD, {'image': IMAGE, 'crop': CROP})
    assert (SHARD.payload, SHARD.size) == (18, 50) and (tmp_path / SHARD.name).stat().st_size == 50
    assert list_shards({'shards': [dict(name='x', parts={'text': [2, 3]}, sha256=None)]}) == [
        Shard(name='x', parts={'text': (2, 3)})]
    with pytest.raises(ValueError, match=r'crop must have shape \(1, 1, 3\), got \(2, 3\)'):
        write_shard(tmp_path, SHARD, {'image': IMAGE, 'crop': np.zeros((2, 3))})


def test_any_flipped_bit_is_noticed(tmp_path):
    write_shard(tmp_path, SHARD, {'image': IMAGE, 'crop': CROP})
    path = tmp_path / SHARD.name
    whole = path.read_bytes()
    assert find_checksum(tmp_path, SHARD) is not None
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1:])
        assert find_checksum(tmp_path, SHARD) is None
    path.write_bytes(whole[:-1])
    assert find_checksum(tmp_path, SHARD) is None
    path.unlink()
    assert find_checksum(tmp_path, SHARD) is None


@pytest.mark.parametrize('name', ['image-00001.f16', 'index.json'])
def test_a_damaged_or_missing_file_is_refused_by_name(tmp_path, name):
    folder = make_section(tmp_path)
    content = bytearray((folder / name).read_bytes())
    content[3] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(CacheError, match=rf'{name} has not the checksum of the manifest.*mmduet cache-teacher C'):
        CacheSection(folder)
    (folder / name).unlink()
    with pytest.raises(CacheError, match=rf'{name} is missing'):
        CacheSection(folder)


def test_a_shard_of_another_run_is_refused_though_it_is_whole(tmp_path):
    folder = make_section(tmp_path)
    write_shard(folder, SHARD, {'image': IMAGE + 1, 'crop': CROP})
    with pytest.raises(CacheError, match=r'image-00000\.f16 has not the checksum'):
        CacheSection(folder)


def test_a_half_written_section_says_how_far_it_is(tmp_path):
    folder = make_section(tmp_path, complete=False)
    (folder / 'image-00001.f16').unlink()
    with pytest.raises(CacheError, match=r'half written \(1 of 2 shards\); go on with: mmduet cache-teacher C'):
        CacheSection(folder)


@pytest.mark.parametrize(('content', 'message'), [
    (None, 'no cache of a teacher'), ('{"format": 1', 'is damaged'), ('[]', 'it holds a list'),
    ('{"format": 3}', "'complete' is missing"),
    ('{"format": 2, "command": "python x"}', r'has format 2, .* mmduet reads 3\. Make it anew with: python x --redo')])
def test_a_manifest_that_is_none_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / 'manifest.json').write_text(content)
    with pytest.raises(CacheError, match=message):
        read_manifest(tmp_path)


def test_a_changed_bit_of_a_manifest_is_found_or_changes_nothing(tmp_path):
    path = make_section(tmp_path) / 'manifest.json'
    known = read_manifest(tmp_path)
    del known['sha256']
    for flipped in flip_bits(path.read_bytes(), 300):
        path.write_bytes(flipped)
        try:
            read = read_manifest(tmp_path)
        except CacheError:
            continue
        assert {key: read.get(key) for key in known} == known


@pytest.mark.parametrize('shard', [
    {'name': '../../x', 'parts': {}, 'sha256': ''}, {'name': '/etc/passwd', 'parts': {}, 'sha256': ''},
    {'name': 'a', 'parts': {'text': [2**62, 2]}, 'sha256': ''}, {'name': 'a', 'parts': []}, 'a', None])
def test_a_manifest_of_shards_that_are_not_ours_is_refused(tmp_path, shard):
    write_manifest(tmp_path, dict(format=FORMAT, complete=True, command='c', index_sha256='', shards=[shard]))
    with pytest.raises(CacheError, match=r'manifest\.json is damaged: (its shards are|the entry of a is) not of ours'):
        read_manifest(tmp_path)


def test_differences_name_key_and_both_values():
    assert differences({'crop_scale': 1.2, 'same': 0}, {'crop_scale': 1.5, 'same': 0, 'mean': None}) == [
        'crop_scale is 1.2 in the cache and 1.5 in the config']
    assert differences({'data': {'split': 'a', 'x': 1}}, {'data': {'split': 'b', 'x': 1}}, 'it', 'this run') == [
        "data.split is 'a' in it and 'b' in this run"]
