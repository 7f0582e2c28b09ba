import json
import shutil

import pytest

from mmduet.teacher_cache.store import CacheError, read_manifest, write_manifest
from tests.teacher_cache.test_cached_teacher import ALL, FLIP, PLAIN, build
from tests.tiny_cache import ask, build_dataset, make_cache_root, write_cache


def expect_refusal(root, cache, message, required=ALL, dataset=None, **teacher):
    with pytest.raises(CacheError, match=message):
        ask(build(root, cache, **teacher), dataset or build_dataset(root, PLAIN), required)


def test_a_cache_of_before_is_refused_in_a_sentence(copied):
    root, cache = copied
    path = cache / 'tiny/train/manifest.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), 'format': 2}))
    with pytest.raises(CacheError, match=r'format 2, this version of mmduet reads 3\. Make it anew with: mmduet .* --redo'):
        build(root, cache).init_weights()


@pytest.mark.parametrize(('change', 'message'), [
    (dict(views=[dict(type='mmduet.CropView', scale=1.5)]), r'of another teacher: views is \[.* 1.2}\] in the cache and '
     r'\[.* 1.5}\] in the config. Make it anew with: '
     r'mmduet cache-teacher .*tiny_cached_config.py .* --redo'),
    (dict(mean=(0.5, 0.5, 0.5)), r'mean is None in the cache and \[0.5, 0.5, 0.5\] in the config'),
    (dict(precision='bfloat16'), "precision is 'float32' in the cache and 'bfloat16'"),
    (dict(pretrained=None), r"weights is 'SHA-256 \w+' in the cache and 'random' in the config"),
    (dict(pretrained='openai', model='ViT-B-16', model_config=None), 'model is .* and weights|model_config is'),
])
def test_another_teacher_is_refused_by_what_differs(made, change, message):
    root, cache = made
    expect_refusal(root, cache, message, **change)
    with pytest.raises(CacheError, match='of another teacher'):
        build(root, cache, **change).init_weights()


def test_other_weights_of_the_same_name_are_refused(made, tmp_path):
    root, cache = made
    weights = tmp_path / 'clip_tiny_refshapes.safetensors'
    weights.write_bytes(b'other')
    expect_refusal(root, cache, 'weights is', pretrained=str(weights))


def test_weights_that_are_not_here_are_taken_on_trust(made, tmp_path, caplog):
    root, cache = made
    teacher = build(root, cache, pretrained=str(tmp_path / 'gone.safetensors'))
    assert ask(teacher, build_dataset(root), {'text'})[0].text.shape == (12, 64)


def test_other_data_are_refused(made, tmp_path):
    _, cache = made
    other = make_cache_root(tmp_path / 'other', seed=1)
    expect_refusal(other, cache, r'made from other data: its annotations of train have SHA-256 \w{64}, '
                                 r"those of expression 'train0a' have \w{64}")


def test_other_objects_are_refused_where_they_are_read(copied):
    root, cache = copied
    objects = root / 'annotations/objects.jsonl'
    objects.write_text(objects.read_text().replace('}', ', "more": 1}'))
    expect_refusal(root, cache, 'its objects.jsonl has SHA-256')
    ask(build(root, cache), build_dataset(root), ALL - {'others'})


def test_a_half_written_cache_is_refused(copied):
    root, cache = copied
    write_manifest(cache / 'tiny/train', {**read_manifest(cache / 'tiny/train'), 'complete': False})
    expect_refusal(root, cache, r'half written \(2 of 2 shards\)')


def test_a_flipped_bit_is_refused(copied):
    root, cache = copied
    path = cache / 'tiny/train/image-00000.f16'
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
    expect_refusal(root, cache, 'image-00000.f16 has not the checksum of the manifest: the cache is damaged. '
                                'Mend it with: mmduet cache-teacher')


def test_a_missing_cache_split_expression_or_field_is_named_with_the_command_that_adds_it(copied, tmp_path):
    root, cache = copied
    with pytest.raises(CacheError, match=r'holds no cache of a teacher; make it with: mmduet cache-teacher'):
        build(root, tmp_path / 'nowhere').init_weights()
    assert build(root, tmp_path / 'nowhere').embed_dims == 64
    shutil.rmtree(cache / 'tiny/val')
    expect_refusal(root, cache, r"no entry for expression 'val0a' of split 'val' of 'tiny'; add it with: "
                                r'mmduet cache-teacher \S*tiny_cached_config.py --out \S*cache --splits val',
                   dataset=build_dataset(root, PLAIN, splits=['val']))
    write_cache(root, cache, '--redo', '--cfg-options', 'train_dataloader.dataset.first=3')
    expect_refusal(root, cache, r"no entry for expression 'train1b': it was not cached; add it with: mmduet .* --redo")
    expect_refusal(root, cache, "expression 'train0a': the other boxes of its image was not cached; .* --distractors --redo",
                   dataset=build_dataset(root, PLAIN, first=1))
    expect_refusal(root, cache, "expression 'train0a': its words 'another cup' was not cached", required={'text'},
                   dataset=_Reworded(build_dataset(root, PLAIN, first=1)))


class _Reworded:
    """A data set whose words are not those of its file."""

    def __init__(self, dataset):
        self.dataset, self.data_root = dataset, dataset.data_root

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        item = self.dataset[index]
        item['data_samples'].set_metainfo(dict(text='another cup'))
        return item


def test_a_cache_without_mirror_images_says_so(made, tmp_path):
    root, _ = made
    cache = write_cache(root, tmp_path / 'cache', '--cfg-options', 'train_dataloader.dataset.pipeline.1.prob=0.0')
    ask(build(root, cache), build_dataset(root, PLAIN), {'image'})
    expect_refusal(root, cache, "expression 'train0a': its mirrored image was not cached", required={'image'},
                   dataset=build_dataset(root, FLIP))
