import json
from dataclasses import replace

import pytest

from mmduet.export.description import BOXES, INPUTS, MOST, SCORES, ExportedDescription
from mmduet.io.errors import DataError

KNOWN = ExportedDescription(
    student='TransVG', canvas_size=640, long_side=600, max_tokens=40, tokenizer='hash', precision='int8', has_score=True,
    tokenizer_options={'first': 2, 'vocab_size': 100}, score='AgreementScoreHead', pretrain_excludes=['refcoco'],
    notice='a toy', versions={'mmduet': '1'})


def read(**changes):
    content = {**json.loads(KNOWN.to_json()), **changes}
    return ExportedDescription.from_metadata({'mmduet': json.dumps(content)}, 'a.onnx')


def test_what_is_written_is_read_again_and_says_what_goes_in_and_comes_out():
    assert read() == KNOWN
    content = json.loads(KNOWN.to_json())
    assert tuple(content['inputs']) == INPUTS and list(content['outputs']) == [BOXES, SCORES]
    assert list(json.loads(replace(KNOWN, has_score=False, score=None).to_json())['outputs']) == [BOXES]


def test_a_file_of_somebody_else_is_refused_by_name():
    with pytest.raises(DataError, match=r"^a.onnx was not written by `mmduet export`: its metadata has no entry 'mmduet'$"):
        ExportedDescription.from_metadata({'other': '{}'}, 'a.onnx')


@pytest.mark.parametrize('text', ['', 'no json', '[]', '7', '[' * 100_000, '{"format": 1}'])
def test_a_broken_entry_is_refused_by_name(text):
    with pytest.raises(DataError, match=r"^a.onnx: the entry 'mmduet' of its metadata is broken \("):
        ExportedDescription.from_metadata({'mmduet': text}, 'a.onnx')


def test_another_format_is_refused():
    with pytest.raises(DataError, match=r'^a.onnx has format 2, and this version of mmduet reads 1$'):
        read(format=2)


@pytest.mark.parametrize('changes', [
    {'canvas_size': 0}, {'canvas_size': MOST + 1, 'long_side': 1}, {'long_side': 641}, {'max_tokens': -1}, {'max_tokens': 2.5},
    {'canvas_size': '640'}, {'max_tokens': True}])
def test_sizes_that_cannot_be_are_refused(changes):
    with pytest.raises(DataError, match=r'^a.onnx: impossible sizes \(.*\) \(canvas, long side, tokens\) in its metadata$'):
        read(**changes)


def test_a_tokenizer_of_an_unknown_kind_is_refused():
    with pytest.raises(DataError, match=r"^a.onnx: a tokenizer of the unknown kind 'magic'$"):
        read(tokenizer='magic')
