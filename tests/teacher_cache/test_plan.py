import numpy as np
import pytest

from mmduet.datasets import RandomFlip, ResizeLongSide
from mmduet.teacher_cache.plan import Geometry, describe_section, lay_out, mirrors, plan_section
from tests.tiny_cache import build_dataset, make_cache_root


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_cache_root(tmp_path_factory.mktemp('plan'), images=3)


def test_every_text_image_and_box_is_there_once(root):
    plan = plan_section(build_dataset(root), 'train', mirrored=True)
    index = plan.index
    assert index.texts == ['the left cup', 'the right cup', 'a red box', 'the number 7 on the right']
    assert index.ids == ['train0a', 'train0b', 'train1a', 'train1b', 'train2a', 'train2b']
    assert index.text == [0, 2, 3, 2, 0, 2]
    # Figures are never mirrored, and words without a side stay as they are.
    assert index.mirrored_text == [1, 2, -1, 2, 1, 2]
    assert index.image == [0, 0, 1, 1, 2, 2] and index.crop == [0, 1, 2, 3, 4, 5] and index.others is None
    assert plan.crop_ends == [2, 4, 6] and plan.expression_ends == [2, 4, 6]
    assert plan.sizes.tolist() == [[32, 24], [20, 32], [32, 32]]


def test_other_boxes_share_the_rows_of_targets(root):
    dataset = build_dataset(root)
    plan = plan_section(dataset, 'train', mirrored=False, distractors=True)
    assert plan.index.crop[:2] == [0, 1] and plan.index.others[:2] == [[1, 2], [0, 2]]
    assert len(plan.crops) == 9 and plan.index.mirrored_text == [-1] * 6
    np.testing.assert_allclose(plan.crops[2], dataset.describe(0)['distractors'][1])


def test_boxes_of_a_mirrored_image_are_mirrored(root):
    plan = plan_section(build_dataset(root), 'train', mirrored=True)
    boxes, mirrored = plan.boxes_of(1, False), plan.boxes_of(1, True)
    np.testing.assert_allclose(mirrored[:, 0], 20 - boxes[:, 2])
    np.testing.assert_allclose(mirrored[:, 1], boxes[:, 1])


def test_mirroring_is_wanted_where_the_pipeline_does_it(root):
    assert mirrors(build_dataset(root)) and mirrors(build_dataset(root, dict(type=RandomFlip, prob=0.1)))
    assert not mirrors(build_dataset(root, dict(type=ResizeLongSide, sides=[32])))
    assert not mirrors(build_dataset(root, dict(type=RandomFlip, prob=0.0)))


def test_shards_cover_all_rows(monkeypatch):
    monkeypatch.setattr('mmduet.teacher_cache.plan.TEXTS_PER_SHARD', 3)
    monkeypatch.setattr('mmduet.teacher_cache.plan.IMAGES_PER_SHARD', 2)
    shards = lay_out(4, [2, 3, 7], [1, 2, 5], Geometry(embed_dims=8, feature_size=(2, 3), views=2, logit_scale=20.0))
    assert {shard.name: dict(shard.parts) for shard in shards} == {
        'text-00000.f16': {'text': (3, 8)}, 'text-00001.f16': {'text': (1, 8)},
        'image-00000.f16': {'image': (2, 2, 8), 'crop': (3, 2, 8), 'similarity': (2, 2, 2, 3)},
        'image-00001.f16': {'image': (1, 2, 8), 'crop': (4, 2, 8), 'similarity': (3, 2, 2, 3)}}
    without = Geometry(embed_dims=8, feature_size=None, views=1, logit_scale=20.0)
    assert 'similarity' not in lay_out(1, [1], [1], without)[1].parts


def test_refcoco_with_mirrored_images_stays_under_half_a_gigabyte():
    # Of 21,586 expressions of RefCOCO's val and test splits 47 % change with the image; no two texts are counted as equal here,
    # although a third of them are.
    images, boxes, expressions = 20_000, 50_000, 142_210
    crop_ends = (np.arange(1, images + 1) * boxes // images).tolist()
    expression_ends = (np.arange(1, images + 1) * expressions // images).tolist()
    geometry = Geometry(embed_dims=512, feature_size=(14, 14), views=2, logit_scale=20.0)
    shards = lay_out(round(1.47 * expressions), crop_ends, expression_ends, geometry)
    # ids, texts and five numbers of an expression take less than 80 bytes in the index.
    total = sum(shard.size for shard in shards) + 80 * expressions
    assert 0.45e9 < total < 0.5e9
    assert max(shard.size for shard in shards) < 4e6


def test_the_description_names_data_and_teacher(root):
    dataset = build_dataset(root)
    geometry = Geometry(embed_dims=8, feature_size=(2, 3), views=2, logit_scale=20.0)
    content = describe_section(plan_section(dataset, 'train', True), 'train', dataset, geometry, {'type': 'CLIPTeacher'})
    assert content['data'] == {'dataset': 'tiny', 'split': 'train', 'annotations_sha256': dataset.annotations.hashes['train'],
                               'objects_sha256': None}
    assert content['counts'] == {'expressions': 6, 'texts': 4, 'images': 3, 'crops': 6}
    assert (content['logit_scale'], content['logit_bias']) == (20, None)
    assert (content['feature_size'], content['views'], content['distractors']) == ([2, 3], ['image', 'mirrored image'], False)
