"""``torch.compile``: a student is one graph, and what is compiled loses what the plain model loses."""
import copy

import pytest
import torch
from torch._dynamo.utils import counters

from tests.models.students.test_conformance import CONFIGS, build_student, make_data
from tests.models.students.test_left_out_padding import load
from tests.models.test_gpu import distil
from tests.tiny_transvg import make_batch, tiny_transvg_config


@pytest.fixture(autouse=True)
def dynamo():
    """No test sees what another compiled."""
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def losses_and_gradients(model, batch, compiled):
    torch.manual_seed(0)
    forward = torch.compile(model, backend='aot_eager') if compiled else model
    losses = forward(batch, mode='loss')
    sum(losses.values()).backward()
    return losses, {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


def check(model, data, breaks):
    """Compile a copy of a model, compare the two, and count the breaks."""
    batch = model.train().data_preprocessor(data, True)['batch']
    losses, gradients = losses_and_gradients(copy.deepcopy(model), batch, compiled=True)
    expected, reference = losses_and_gradients(model, batch, compiled=False)
    assert counters['stats']['unique_graphs'] >= 1
    assert sum(counters['graph_break'].values()) <= breaks, dict(counters['graph_break'])
    assert losses.keys() == expected.keys() and gradients.keys() == reference.keys()
    for name, value in expected.items():
        assert torch.allclose(losses[name], value, rtol=1e-5, atol=1e-6), name
    for name, value in reference.items():
        assert torch.allclose(gradients[name], value, rtol=1e-3, atol=1e-5), name


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_student_is_one_graph(path):
    check(build_student(path), make_data(64), breaks=0)


def test_a_distilled_grounder_breaks_where_texts_are_read_and_regions_are_drawn(tmp_path):
    # Two places, each counted once for every frame that is entered anew on the way to it.
    check(distil(tmp_path, tiny_transvg_config()), make_batch(), breaks=6)


def test_batches_with_other_numbers_of_visual_tokens_are_compiled_once_more_and_then_no_more():
    model = build_student(next(path for path in CONFIGS if path.stem == 'transvg_tiny')).eval()
    forward = torch.compile(model, backend='aot_eager')
    kept = []
    for height in (40, 24, 48, 32, 56):
        data = load([(0, 0, 64, height), (0, 8, 64, 8 + height), (0, 0, 64, height + 8), (0, 0, 16, height)])
        batch = model.data_preprocessor(data)['batch']
        kept.append(batch.kept_of_images)
        with torch.no_grad():
            assert torch.allclose(forward(batch).boxes, model(batch).boxes, atol=1e-5)
    assert kept[:2] == [(40, 48), (24, 32)] and counters['stats']['unique_graphs'] == 2
