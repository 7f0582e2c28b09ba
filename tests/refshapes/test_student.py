"""The toy that ships: it is small, it says what it is, and it knows its shapes."""
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

from mmduet import GroundingInferencer
from mmduet.io.notices import say_once
from mmduet.refshapes import STUDENT_FOLDER, VOCABULARY_FILE, make_example
from mmduet.structures.boxes import iou_xyxy


def test_it_is_small_and_says_what_it_is():
    files = {file.name: file.stat().st_size for file in STUDENT_FOLDER.iterdir()}
    assert files.keys() == {'config.json', 'model.safetensors', 'vocab.txt', 'README.md'}
    assert sum(files.values()) < 1_000_000
    assert (STUDENT_FOLDER / 'vocab.txt').read_text() == VOCABULARY_FILE.read_text()
    assert 'A toy: it knows images of coloured shapes' in (STUDENT_FOLDER / 'README.md').read_text()
    words = [token for token in VOCABULARY_FILE.read_text().split() if not token.startswith('[')]
    about = json.loads((STUDENT_FOLDER / 'config.json').read_text())
    notice = about.pop('notice')
    assert f'the {len(words)} words about them' in notice
    assert notice in (STUDENT_FOLDER / 'README.md').read_text().replace('**', '')
    with safe_open(STUDENT_FOLDER / 'model.safetensors', 'pt') as file:
        theirs = json.loads(file.metadata()['config'])
        # The file, which is known by its hash, keeps the sentence that it was published with, where marks count as words.
        assert theirs.pop('notice') == notice.replace('73', '77') and theirs == about
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {'F16', 'I64'}  # noqa: SIM118 (no mapping)


@pytest.mark.parametrize('model', [None, 'toy'])
def test_without_a_model_it_answers_and_says_that_it_is_a_toy(model, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    say_once.cache_clear()
    ground = GroundingInferencer() if model is None else GroundingInferencer(model)
    assert capsys.readouterr().err.count('A toy: it knows images of coloured shapes (RefShapes)') == 1
    assert next(ground.model.parameters()).dtype.itemsize == 4  # it computes in float32
    examples = [make_example(2026, 'val', number) for number in range(60)]
    results = ground([example.image for example in examples], [[example.expressions[0].text] for example in examples],
                     channel_order='rgb')

    ious = [float(iou_xyxy(torch.tensor(result.box), torch.from_numpy(example.scene.boxes()[example.scene.target])))
            for result, example in zip(results, examples, strict=True)]
    assert np.mean(np.array(ious) >= 0.5) > 0.85
    hits, misses = ([result.score for result, iou in zip(results, ious, strict=True) if (iou >= 0.5) is right]
                    for right in (True, False))
    assert min(hits + misses) > 0 and max(hits + misses) < 1
    assert np.mean(hits) > 0.9 and (not misses or np.mean(misses) < np.mean(hits))
    assert GroundingInferencer(model).device == ground.device
    assert capsys.readouterr().err == ''
