import copy

import pytest
import torch

from mmduet.apis.students import bert_geometry, build_student, find_vocabulary
from mmduet.engine.checkpoint import CheckpointMismatchError
from mmduet.engine.config_tools import load_config
from mmduet.models.layers import BertTextEncoder
from mmduet.registry import MODELS

BERT = dict(hidden_size=128, num_hidden_layers=3, num_attention_heads=2, intermediate_size=96, max_position_embeddings=40)


def test_the_sizes_of_a_bert_are_read_off_its_weights():
    encoder = BertTextEncoder(pretrained=None, max_tokens=8, config=dict(vocab_size=2000, **BERT))
    weights = {f'text_encoder.{key}': value for key, value in encoder.state_dict().items()}
    assert bert_geometry(weights) == {**BERT, 'vocab_size': 2000, 'type_vocab_size': 2}
    assert bert_geometry({'box_head.weight': torch.ones(1)}) == {}


def test_a_vocabulary_is_that_of_the_file_that_is_named_or_of_a_folder_or_none(tmp_path):
    (tmp_path / 'vocab.txt').write_text('[PAD]\nball\n')
    assert find_vocabulary({'vocab': str(tmp_path / 'vocab.txt')}, 'a.pth') == '[PAD]\nball\n'
    assert find_vocabulary({'vocab': None, 'pretrained': str(tmp_path)}, 'a.pth') == '[PAD]\nball\n'
    assert find_vocabulary({'max_tokens': 4}, 'a.pth') is None
    with pytest.raises(FileNotFoundError, match=r'a\.pth holds no vocabulary, and that of gone\.txt .*as vocabulary='):
        find_vocabulary({'vocab': 'gone.txt'}, 'a.pth')


def test_a_student_is_built_without_any_file_that_its_config_names_which_stays_as_it_is():
    config = load_config('configs/transvg/transvg_refshapes.py').model.to_dict()
    trained = MODELS.build(config)
    words = trained.data_preprocessor.tokenizer.vocabulary
    config['pretrained'], config['text_encoder']['vocab'] = 'gone.pth', 'gone.txt'
    before = copy.deepcopy(config)
    weights = {f'student.{key}': value for key, value in trained.state_dict().items()}
    student, plain = build_student({'student': config}, weights, words, 'a.pth')
    assert config == before and not student.training
    assert (plain['pretrained'], plain['text_encoder']['vocab']) == (None, 'vocab.txt')
    assert all(torch.equal(value, trained.state_dict()[key]) for key, value in student.state_dict().items())
    ids = [each.data_preprocessor.tokenizer.encode('the red ball') for each in (student, trained)]
    assert ids[0] == ids[1]
    with pytest.raises(CheckpointMismatchError):
        build_student(config, {'box_head.layers.0.weight': torch.ones(1)}, words, 'a.pth')
