"""``torch.compile``: a student is one graph, and what is compiled loses what the plain model loses."""
import copy
import random

import pytest
import torch
from mmengine.structures import InstanceData
from torch import nn
from torch._dynamo.utils import counters

from mmduet.models.compiling import compile_grounder
from mmduet.models.distill import DenseContrastTerm, RankedContrastTerm, RelationTerm
from mmduet.registry import MODELS
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


WORDS = ['the', 'red', 'circle', 'on', 'left', 'dog', 'big', 'man', 'woman', 'near', 'tree', 'under', 'sky']


def draw_data(rng, step, shared, words):
    """Two expressions of so many words about one image or two, other objects, and padding of another size at every step."""
    data = load([(0, 0, 64, 24 + 8 * (step % 4))] * 2)
    for number, sample in enumerate(data['data_samples']):
        boxes = sample.gt_instances.bboxes + torch.arange(rng.randrange(2, 6))[:, None]
        sample.distractors = InstanceData(bboxes=boxes)
        text = ' '.join(rng.choices(WORDS, k=words if number else 2))
        sample.set_metainfo({'text': text, 'expression_id': str(rng.random())})
    if shared:
        data.update(inputs=data['inputs'][:1], image_index=[0, 0])
    return data


def compiled_by(model):
    """Compile a model by a compiler that notes its calls."""
    graphs = []
    parts = compile_grounder(model, backend=lambda graph, _: graphs.append(graph) or graph.forward)
    return graphs, parts


def test_once_all_lengths_have_come_no_step_is_compiled_again(tmp_path):
    model, rng = distil(tmp_path, tiny_transvg_config()).train(), random.Random(0)
    for name, kind in (('ranked', RankedContrastTerm), ('dense', DenseContrastTerm)):
        model.head.terms[name] = kind(model.head.spaces['teacher'])
        model.head.teacher_of[name] = 'teacher'
    graphs, parts = compiled_by(model)
    assert [type(part).__name__ for part in parts[:2]] == ['TransVG', 'FeatureTerm']

    def step(shared, words):
        batch = model.data_preprocessor(draw_data(rng, model.head.steps, shared, words), True)['batch']
        losses = model(batch, mode='loss')
        sum(losses.values()).backward()
        return batch.token_ids.shape[1]

    cases = [(False, 4), (False, 9), (True, 4)]
    assert {step(*case) for case in [(False, 3), *cases]} == {8, 12}
    warm = len(graphs)
    assert warm >= 2 * len(cases)
    for case in cases * 2:
        step(*case)
    assert (len(graphs), model.head.steps) == (warm, 10)


def test_a_compiled_prediction_is_compiled_once_for_a_length_and_equals_the_plain_one():
    plain, rng = MODELS.build(tiny_transvg_config()).eval(), random.Random(0)
    model = copy.deepcopy(plain)
    graphs, _ = compiled_by(model)
    counts = []
    with torch.no_grad():
        for step in range(3):
            data = draw_data(rng, step, False, 4)
            answers = [each.test_step(copy.deepcopy(data)) for each in (plain, model)]
            expected, found = (torch.cat([sample.pred_instances.bboxes for sample in samples]) for samples in answers)
            assert torch.allclose(expected, found, atol=1e-4)
            counts.append(len(graphs))
    assert counts == [1, 1, 1]
    assert model.state_dict().keys() == plain.state_dict().keys()


def test_what_losses_a_compiled_distilled_grounder_has_are_those_of_the_plain_one(tmp_path):
    model = distil(tmp_path, tiny_transvg_config()).train()
    compiled = copy.deepcopy(model)
    compile_grounder(compiled, backend='aot_eager')
    answers = []
    for each in (compiled, model):
        torch.manual_seed(0)
        answers.append(each(each.data_preprocessor(make_batch(), True)['batch'], mode='loss'))
    found, expected = answers
    assert counters['stats']['unique_graphs'] >= 4
    assert {name: value.item() for name, value in found.items()} == pytest.approx(
        {name: value.item() for name, value in expected.items()}, rel=1e-5)
    found['loss_contrast'].backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in compiled.parameters() if parameter.grad is not None)


def test_a_term_that_asks_for_the_step_is_left_out_and_any_other_module_is_compiled_whole(tmp_path):
    model = distil(tmp_path, tiny_transvg_config())
    model.head.terms['relation'] = RelationTerm(model.head.spaces['teacher'], bank=True)
    assert 'RelationTerm' not in {type(part).__name__ for part in compile_grounder(model, backend='eager')}
    layer = nn.Linear(2, 2)
    assert compile_grounder(layer, backend='eager', dynamic=True) == [layer]
    assert torch.equal(layer(torch.ones(1, 2)), layer._call_impl(torch.ones(1, 2)))
