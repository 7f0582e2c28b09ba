"""A graph is what a recorder says it is: here, one that computes anew into the tensors that it gave first."""
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from mmduet.models import cuda_graphs
from mmduet.models.cuda_graphs import GraphedStudent
from mmduet.registry import MODELS
from tests.tiny_grounder import TinyGrounder
from tests.tiny_transvg import make_batch, tiny_transvg_config


class Recorder:
    """Repeats a function on the memory that it read and wrote, as a CUDA graph does."""

    def __init__(self):
        self.recorded = self.replayed = 0

    def __call__(self, function):
        self.recorded += 1
        result = function()

        def replay():
            self.replayed += 1
            anew = function()
            for field in fields(result):
                if isinstance(value := getattr(result, field.name), Tensor):
                    value.copy_(getattr(anew, field.name))

        return replay, result


def one_image(*texts, padded=True, seed=0):
    """A batch of expressions about one image."""
    data = make_batch(seed)
    image, sample = data['inputs'][0], data['data_samples'][0]
    if not padded:
        image = torch.nn.functional.pad(image, (0, 0, 8, 8), value=seed)
        whole = replace(sample.canvas, top=0, height=64)
        sample.set_metainfo({'canvas': whole})
    samples = []
    for text in texts:
        samples.append(sample.clone())
        samples[-1].set_metainfo({'text': text})
    return {'inputs': [image], 'image_index': [0] * len(texts), 'data_samples': samples}


@pytest.fixture
def student():
    torch.manual_seed(0)
    return MODELS.build(tiny_transvg_config()).eval()


def test_every_shape_has_a_graph_that_answers_as_the_student_does(student):
    recorder = Recorder()
    graphed, long = GraphedStudent(student, recorder), 'the big red circle on the very left side'
    cases = [one_image('the dog'), one_image('a red cat', seed=1), one_image(long), one_image('the dog', 'a cat'),
             one_image('the cat', padded=False), one_image('the dog', seed=2)]
    with torch.inference_mode():
        for data in cases:
            batch = student.data_preprocessor(data)['batch']
            found, expected = graphed.extract(batch), student.extract(batch)
            assert torch.allclose(found.boxes, expected.boxes, atol=1e-6)
            assert torch.equal(found.visual_padding, expected.visual_padding)
    assert (recorder.recorded, recorder.replayed) == (4, 6)
    with torch.inference_mode():
        assert graphed.extract(student.data_preprocessor(make_batch())['batch']).boxes.shape == (1, 2, 4)
    assert recorder.recorded == 4  # two images are computed kernel by kernel


def test_the_graph_that_was_not_used_for_longest_is_dropped(student, monkeypatch):
    monkeypatch.setattr(cuda_graphs, 'MOST_GRAPHS', 2)
    recorder = Recorder()
    graphed = GraphedStudent(student, recorder)
    counts = []
    with torch.inference_mode():
        for count in (1, 2, 1, 3, 1, 2):
            graphed.extract(student.data_preprocessor(one_image(*['the dog'] * count))['batch'])
            counts.append(recorder.recorded)
    assert counts == [1, 2, 2, 3, 3, 4]


def test_another_device_and_a_student_of_texts_are_refused(student):
    with pytest.raises(ValueError, match=r'CUDA graphs need a CUDA device, and the model is on cpu'):
        GraphedStudent(student)
    with pytest.raises(ValueError, match='TinyGrounder reads texts, which a CUDA graph cannot'):
        GraphedStudent(TinyGrounder(), Recorder())
