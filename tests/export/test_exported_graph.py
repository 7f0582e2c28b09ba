import pytest
import torch

from mmduet.export.description import ExportedDescription
from mmduet.export.exported_graph import ExportedGrounder, ExportError
from mmduet.export.onnx_exporter import dynamic_axes, example_inputs
from mmduet.models.cpu import optimise_for_cpu
from mmduet.models.students import TransVG
from mmduet.structures.boxes import cxcywh_to_xyxy
from tests.export.made_grounders import TINY, make_grounder
from tests.tiny_transvg import make_batch, tiny_transvg_config


def inputs_of(student):
    """A batch of ``make_batch`` as the graph takes it."""
    data = make_batch()
    batch = student.data_preprocessor(data)['batch']
    image = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
    for square, pixels, (x1, y1, x2, y2) in zip(image, data['inputs'], batch.content.tolist(), strict=True):
        square[y1:y2, x1:x2] = pixels.permute(1, 2, 0)
    ids, padding = batch.tokens
    return batch, (image, batch.content, batch.image_index, ids, (~padding).long())


@pytest.mark.parametrize('name', [*TINY, 'TransVG'])
@torch.no_grad()
def test_the_graph_computes_what_the_student_predicts(name):
    grounder = make_grounder(TINY[name]()) if name in TINY else make_grounder()
    student = grounder.student
    batch, inputs = inputs_of(student)
    features = student.extract(batch)
    samples = student.predict(features, batch)
    boxes, *scores = ExportedGrounder(optimise_for_cpu(student))(*inputs)
    for box, sample in zip(boxes, samples, strict=True):
        height, width = sample.ori_shape
        torch.testing.assert_close(box * torch.tensor([width, height] * 2), sample.pred_instances.bboxes[0], atol=1e-3, rtol=0)
    assert len(scores) == (name == 'TransVG')
    if scores:
        torch.testing.assert_close(scores[0], student.confidence(features), atol=1e-5, rtol=0)
    assert type(student).__name__.startswith('CPU') == (name == 'QRNet'), 'the model itself stays as it is'
    # Two expressions about the second image are two rows of it.
    image, content, _, ids, mask = inputs
    shared, *_ = ExportedGrounder(student)(image, content, torch.tensor([1, 1]), ids, mask)
    torch.testing.assert_close(shared[1], boxes[1], atol=1e-5, rtol=0)
    corners = cxcywh_to_xyxy(features.boxes[-1][1]) * 64
    expected = ((corners - torch.tensor([16.0, 0, 16, 0])) / torch.tensor([32.0, 64] * 2)).clamp(0, 1)
    torch.testing.assert_close(boxes[1], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize('name', TINY)
def test_every_student_is_one_graph_for_any_number_of_images_expressions_and_tokens(name, quiet):
    student = make_grounder(TINY[name]()).student
    graph = ExportedGrounder(student)
    about = ExportedDescription(student=name, canvas_size=64, long_side=64, max_tokens=12, tokenizer='hash')
    with torch.no_grad():
        graph(*example_inputs(about))
        program = torch.export.export(graph, example_inputs(about), dynamic_shapes=dynamic_axes(about)).module()
        for images, expressions, tokens in ((1, 1, 3), (3, 5, 12), (2, 2, 4)):
            image, content, index, *_ = example_inputs(about, images, expressions)
            ids = torch.randint(1, 900, (expressions, tokens))
            inputs = (torch.randint_like(image, 256), content, index, ids, torch.ones_like(ids))
            torch.testing.assert_close(program(*inputs)[0], graph(*inputs)[0], atol=1e-5, rtol=0)


def test_a_student_that_counts_its_batch_is_told_what_to_write():
    class Counter(TransVG):
        def extract(self, batch):
            assert len(batch) > 0
            return super().extract(batch)

    student = Counter(**{key: value for key, value in tiny_transvg_config().items() if key != 'type'})
    about = ExportedDescription(student='Counter', canvas_size=64, long_side=64, max_tokens=12, tokenizer='hash')
    with pytest.raises(ExportError, match=r'asks for len\(batch\), .*: take the length of a tensor, as text\.shape\[0\]'):
        ExportedGrounder(student)(*example_inputs(about))


def test_a_student_that_reads_texts_is_refused():
    class Reader(TransVG):
        def extract(self, batch):
            assert len(batch.texts[0]) > 0
            return super().extract(batch)

    student = Reader(**{key: value for key, value in tiny_transvg_config().items() if key != 'type'})
    about = ExportedDescription(student='Reader', canvas_size=64, long_side=64, max_tokens=12, tokenizer='hash')
    with pytest.raises(ExportError, match='reads texts, views or samples of its batch'):
        ExportedGrounder(student)(*example_inputs(about))
