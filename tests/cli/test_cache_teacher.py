import json

import pytest
from mmengine.config import Config

from mmduet.cli import cache_teacher as tool
from mmduet.engine.config_tools import ConfigError
from mmduet.io.errors import DataError
from mmduet.io.locks import LockedError, locked, reading
from mmduet.teacher_cache import plan
from mmduet.teacher_cache.store import CacheError, CacheSection, lock_place, write_manifest
from tests.run_tool import run_tool_on_ranks
from tests.shared_data import ROOT
from tests.tiny_cache import CONFIG, make_cache_root, write_cache

CACHED = str(ROOT / 'mmduet/configs/duet/transvg_duet_cached_refshapes.py')


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_cache_root(tmp_path_factory.mktemp('tool') / 'root')


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(plan, 'TEXTS_PER_SHARD', 3)
    monkeypatch.setattr(plan, 'IMAGES_PER_SHARD', 2)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_says_what_it_will_write_and_how_far_it_is(root, tmp_path, capsys):
    cache = write_cache(root, tmp_path / 'cache', '--splits', 'train', 'val')
    printed = capsys.readouterr().out
    assert f'{cache}/tiny/train: 12 expressions, 4 texts, 6 images, 12 crops; 0.0 MB in 2 shards' in printed
    assert '2 of 2 shards' in printed and 's to go' in printed and f'{cache}/tiny/val: complete' in printed
    manifest = CacheSection(cache / 'tiny/train').manifest
    assert manifest['config'] == CONFIG and manifest['command'] == (
        f'mmduet cache-teacher {CONFIG} --out {cache} --splits train --data-root {root}')
    assert manifest['teacher']['views'] == [{'type': 'CropView', 'scale': 1.2}]
    assert manifest['teacher']['precision'] == 'float32'
    assert manifest['feature_size'] == [8, 8] and manifest['logit_bias'] is None
    assert len(manifest['loaded_weights_sha256']) == 64
    assert all(len(shard['sha256']) == 64 for shard in manifest['shards'])


def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_bytes(root, tmp_path, small_shards, monkeypatch):
    whole = contents(write_cache(root, tmp_path / 'cache') / 'tiny/train')
    folder = tmp_path / 'cache/tiny/train'
    manifest = json.loads((folder / 'manifest.json').read_text())
    manifest.update(complete=False, shards=[{**shard, 'sha256': None} for shard in manifest['shards']])
    write_manifest(folder, manifest)
    (folder / 'image-00001.f16').unlink()
    (folder / '.image-00002.f16.77.partial').write_bytes(b'torn')
    kept = (folder / 'image-00000.f16').stat().st_mtime_ns
    write_cache(root, tmp_path / 'cache')
    assert contents(folder) == whole and (folder / 'image-00000.f16').stat().st_mtime_ns == kept


def test_a_cache_of_something_else_is_not_overwritten_unasked(root, tmp_path):
    cache = write_cache(root, tmp_path / 'cache')
    before = contents(cache / 'tiny/train')
    with pytest.raises(CacheError, match=r'is a cache of something else: teacher.views is \[.*1.2}\] in it and \[.*1.4}\] in '
                       'this run. Take --redo to replace it, or another --out'):
        write_cache(root, cache, '--cfg-options', 'model.teacher.views.0.scale=1.4')
    assert contents(cache / 'tiny/train') == before
    write_cache(root, cache, '--redo', '--cfg-options', 'model.teacher.views.0.scale=1.4')
    assert CacheSection(cache / 'tiny/train').manifest['teacher']['views'][0]['scale'] == 1.4


def test_two_do_not_write_one_section(root, tmp_path):
    cache = write_cache(root, tmp_path / 'cache')
    before = contents(cache / 'tiny/train')
    with locked(cache / 'tiny/train', cache / 'tiny/.train.lock'):
        for flags in ((), ('--redo', )):
            with pytest.raises(LockedError, match=r'tiny/train is in use by process \d+ on'):
                write_cache(root, cache, *flags)
        with pytest.raises(LockedError, match=r'tiny/train is being written by process \d+ on'):
            CacheSection(cache / 'tiny/train')
    with reading(cache / 'tiny/train', lock_place(cache / 'tiny/train')), pytest.raises(LockedError):
        write_cache(root, cache)
    assert contents(cache / 'tiny/train') == before
    write_cache(root, cache, '--redo')


def test_random_weights_are_told_apart_by_what_they_are(root, tmp_path):
    cache = write_cache(root, tmp_path / 'cache', '--no-pretrained', '--seed', '1')
    write_cache(root, cache, '--no-pretrained', '--seed', '1')
    with pytest.raises(CacheError, match='loaded_weights_sha256'):
        write_cache(root, cache, '--no-pretrained', '--seed', '2')


def test_two_processes_write_the_bytes_of_one(root, tmp_path):
    one = write_cache(root, tmp_path / 'one')
    two = run_tool_on_ranks(2, 'cache_teacher', CONFIG, '--data-root', root, '--out', tmp_path / 'two')
    assert [rank.returncode for rank in two] == [0, 0], two
    first, second = contents(one / 'tiny/train'), contents(tmp_path / 'two/tiny/train')
    assert first.keys() == second.keys()
    assert all(first[name] == second[name] for name in first if name != 'manifest.json')
    assert json.loads(second['manifest.json'])['shards'] == json.loads(first['manifest.json'])['shards']


def test_the_folder_and_the_teacher_come_from_a_config_with_a_cache(root):
    from mmduet.engine.config_tools import load_config
    cfg = load_config(CACHED)
    teacher, out = tool.find_teacher(cfg, None)
    assert teacher['model'] == 'clip_tiny_refshapes' and str(out) == 'data/teacher_cache/clip_tiny_refshapes'
    assert str(tool.find_teacher(cfg, 'elsewhere')[1]) == 'elsewhere'


def test_configs_without_a_teacher_or_a_folder_are_refused(root):
    with pytest.raises(ConfigError, match='has no teacher'):
        tool.run(tool.parse_args([str(ROOT / 'tests/tiny_config.py'), '--out', 'x']))
    with pytest.raises(ConfigError, match='--out'):
        tool.run(tool.parse_args([CONFIG]))
    with pytest.raises(DataError, match='no split'):
        write_cache(root, root / 'x', '--splits', 'nonsense')
    with pytest.raises(SystemExit):
        tool.parse_args([CONFIG, '--batch-size', '0'])


def test_a_teacher_without_patch_features_is_cached_without_similarity(root, tmp_path, capsys, monkeypatch):
    from mmduet.models.teachers import clip_teacher

    def no_encoder(visual):
        raise NotImplementedError('no patch features are known of this')

    monkeypatch.setattr(clip_teacher, 'find_patch_encoder', no_encoder)
    section = CacheSection(write_cache(root, tmp_path / 'cache') / 'tiny/train')
    assert section.tables.keys() == {'text', 'image', 'crop'} and section.manifest['feature_size'] is None
    assert 'no similarity is cached: no patch features are known' in capsys.readouterr().out


def test_one_of_several_teachers_is_named():
    cfg = Config(dict(model=dict(teacher=dict(small=dict(type='mmduet.CLIPTeacher', model='a'), large=dict(
        type='mmduet.CLIPTeacher', model='b')))))
    assert tool.find_teacher(cfg, 'out', 'large')[0].model == 'b'
    for name in (None, 'middle'):
        with pytest.raises(ConfigError, match='this config has the teachers small, large: name one with --teacher'):
            tool.find_teacher(cfg, 'out', name)
    with pytest.raises(ConfigError, match='--teacher small would do nothing: this config has one teacher, without a name'):
        tool.find_teacher(Config(dict(model=dict(teacher=dict(type='mmduet.CLIPTeacher', model='a')))), 'out', 'small')


def test_a_teacher_with_a_forward_of_its_own_is_refused_as_a_cache_does_not_ask_it(root):
    from mmduet.models.teachers import CLIPTeacher

    class TurnedTeacher(CLIPTeacher):
        def forward(self, batch, required):
            return super().forward(batch, required)

    cfg = tool.common.load_model(tool.parse_args([CONFIG]))
    config = tool.find_teacher(cfg, 'out')[0]
    assert type(tool.build_teacher(config, cfg, seed=0)) is CLIPTeacher
    with pytest.raises(ConfigError, match='TurnedTeacher cannot be cached: it has a forward of its own'):
        tool.build_teacher({**config, 'type': TurnedTeacher}, cfg, seed=0)
