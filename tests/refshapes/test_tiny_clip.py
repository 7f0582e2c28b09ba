"""The shipped weights, as the teacher loads them."""
import open_clip
import pytest
import torch
from mmengine.dataset import pseudo_collate
from safetensors.torch import load_file

from mmduet.io.files import find_file
from mmduet.models.teachers.open_clip_models import build_open_clip, register_model_config
from mmduet.refshapes import VOCABULARY_FILE
from mmduet.refshapes.clip_pretrainer import CLIPPretrainer
from mmduet.refshapes.region_dataset import RefShapesRegionDataset
from mmduet.refshapes.region_retrieval_metric import RegionRetrievalMetric

FOLDER = 'mmduet/refshapes/tiny_clip'
MODEL_CONFIG = f'{FOLDER}/clip_tiny_refshapes.json'
WEIGHTS = f'{FOLDER}/clip_tiny_refshapes.safetensors'


@pytest.fixture(scope='module')
def built():
    return build_open_clip('clip_tiny_refshapes', WEIGHTS, MODEL_CONFIG)


def test_all_files_together_are_under_4_mb():
    sizes = [path.stat().st_size for path in find_file(FOLDER).rglob('*') if path.is_file()]
    assert sum(sizes) < 4e6


def test_open_clip_itself_loads_the_weights_strictly():
    name = register_model_config(MODEL_CONFIG)
    model = open_clip.create_model(name, pretrained=str(find_file(WEIGHTS)))
    weights = load_file(find_file(WEIGHTS))
    assert weights.keys() == model.state_dict().keys()
    assert torch.equal(model.visual.proj, weights['visual.proj'].float())
    assert name == 'clip_tiny_refshapes'


def test_the_tokenizer_knows_the_word_list_and_pads_to_16(built):
    ids = built.tokenize(['the leftmost Golden box', 'zebra a'])
    assert ids.tolist() == [[2, 4, 8, 27, 51, 3] + [0] * 10, [2, 1, 5, 3] + [0] * 12]
    words = VOCABULARY_FILE.read_text(encoding='utf-8').split()
    assert [int(built.tokenize([word])[0, 1]) for word in words[4:]] == list(range(4, 77))


def test_the_text_is_read_at_the_separator_whatever_follows(built):
    assert (built.clip.text_pool_type, built.clip.text_eos_id) == ('eos', 3)
    ids = built.tokenize(['a red star'])
    changed = ids.clone()
    changed[0, 6:] = 9
    assert torch.equal(built.clip.encode_text(ids), built.clip.encode_text(changed))


def test_pixel_statistics_are_open_clips_own(built):
    assert list(built.mean) == list(open_clip.OPENAI_DATASET_MEAN)
    assert list(built.std) == list(open_clip.OPENAI_DATASET_STD)
    assert (built.image_size, built.embed_dims) == ((64, 64), 64)


def test_fresh_regions_are_read_right():
    model = CLIPPretrainer('clip_tiny_refshapes', MODEL_CONFIG, WEIGHTS).eval()
    dataset, metric = RefShapesRegionDataset(200, seed=7, split='region_val'), RegionRetrievalMetric()
    for start in range(0, 200, 50):
        batch = pseudo_collate([dataset[index] for index in range(start, start + 50)])
        metric.process(batch, model.test_step(batch))
    figures = metric.evaluate(200)
    assert figures['retrieval/crop'] >= 95
    assert figures['retrieval/dense'] >= 68
    assert figures['retrieval/crop_attribute'] >= 85
    assert figures['retrieval/dense_attribute'] >= 80
