"""What goes into an ONNX file; whether it answers as the model does is tested in ``test_exporting``."""
import json
import resource

import numpy as np
import onnx
import onnx_ir
import onnxruntime
import pytest
import torch
from torch import nn
from torch.onnx import ONNXProgram

from mmduet.datasets import LoadImage, PackGroundingInputs, PlaceOnCanvas, ResizeLongSide
from mmduet.engine.config_tools import ConfigError
from mmduet.export import OnnxExporter, OnnxGrounder
from mmduet.export.checking import compare, draw_pairs
from mmduet.export.description import INPUTS, KEY, ExportedDescription
from mmduet.export.exported_graph import ExportError
from mmduet.export.onnx_exporter import describe, dynamic_axes, example_inputs, trace, write_program
from mmduet.export.tokenizer_json import TokenizerDescription
from mmduet.io.failures import describe_failure
from mmduet.io.files import replacing
from mmduet.registry import EXPORTERS
from tests.export.made_grounders import TINY, make_grounder
from tests.limits import limited

TEXT = TokenizerDescription('hash', {'first': 1000, 'vocab_size': 2048}, None)


def about(**changes):
    known = dict(student='Centre', canvas_size=8, long_side=8, max_tokens=5, tokenizer='hash')
    return ExportedDescription(**{**known, **changes})


class Centre(nn.Module):
    """A graph of all inputs that costs little to trace."""

    def __init__(self, outputs=1):
        super().__init__()
        self.outputs = outputs

    def forward(self, image, content, image_index, token_ids, attention_mask):
        light = image.float().mean((1, 2, 3))[image_index, None]
        boxes = content[image_index] / image.shape[1] + light + (token_ids * attention_mask).sum(1, keepdim=True)
        return (boxes, boxes.sum(1))[:self.outputs]


class Counting(Centre):
    """One that can be traced for one number of expressions only."""

    def forward(self, image, content, image_index, token_ids, attention_mask):
        return (token_ids.float() @ torch.ones(token_ids.shape[1], 4) + torch.ones(3, 4), )


def test_the_file_says_what_it_needs(exported):
    model = onnx.load(exported)
    about = json.loads({entry.key: entry.value for entry in model.metadata_props}[KEY])
    assert {key: about[key] for key in ('format', 'student', 'canvas_size', 'long_side', 'max_tokens', 'tokenizer', 'has_score',
                                        'score', 'precision')} == {
        'format': 1, 'student': 'TransVG', 'canvas_size': 64, 'long_side': 64, 'max_tokens': 16, 'tokenizer': 'tokenizers',
        'has_score': True, 'score': 'AgreementScoreHead', 'precision': 'float32'}
    assert about['pretrain_excludes'][0] == 'refshapes' and {'mmduet', 'torch'} <= about['versions'].keys()
    assert [value.name for value in model.graph.input] == list(about['inputs'])
    assert [value.name for value in model.graph.output] == list(about['outputs']) == ['boxes', 'scores']
    axes = {value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
            for value in model.graph.input}
    images, expressions, tokens = axes['image'][0], *axes['token_ids']
    assert axes == {'image': [images, 64, 64, 3], 'content': [images, 4], 'image_index': [expressions],
                    'token_ids': [expressions, tokens], 'attention_mask': [expressions, tokens]}
    assert all(isinstance(axis, str) for axis in (images, expressions, tokens))
    assert model.opset_import[0].version == 18


def test_a_disk_that_refuses_the_file_is_named_and_leaves_the_old_one_alone(exported, tmp_path):
    program, path = ONNXProgram(onnx_ir.load(exported), None), tmp_path / 'a.onnx'
    for limit in (None, 1000):
        try:
            with limited(resource.RLIMIT_FSIZE, limit), replacing(path) as partial:
                write_program(program, partial)
        except OSError as error:
            assert describe_failure(error).startswith(f'{path} cannot be written: it would be larger than files may be here')
        else:
            assert limit is None
            written = path.read_bytes()
        assert path.read_bytes() == written and list(tmp_path.iterdir()) == [path]
    assert OnnxGrounder(path).description == OnnxGrounder(exported).description


def test_the_exporter_opens_what_it_wrote(exported, folder):
    pairs = draw_pairs(4)
    answers = [OnnxExporter().open(exported)(*pairs, channel_order='rgb') for _ in range(2)]
    assert compare(*answers).largest == 0
    assert np.isfinite([result.box for result in answers[0]]).all()


@pytest.mark.parametrize(('steps', 'message'), [
    ([LoadImage, PlaceOnCanvas], 'the test pipeline is LoadImage, PlaceOnCanvas; what can be exported is LoadImage, ResizeL'),
    ([LoadImage, dict(type=ResizeLongSide, sides=[64, 32]), PlaceOnCanvas, PackGroundingInputs], 'draws sizes'),
    ([LoadImage, dict(type=ResizeLongSide, sides=[64]), dict(type='mmduet.PlaceOnCanvas', random=True), PackGroundingInputs],
     'draws sizes or places')])
def test_a_pipeline_that_the_predictor_cannot_do_is_refused(steps, message):
    grounder = make_grounder(TINY['CLIPVG']())
    about = type(grounder.description)({}, [step if isinstance(step, dict) else dict(type=step) for step in steps])
    with pytest.raises(ExportError, match=message):
        describe(grounder.student, about, TEXT)


@pytest.mark.parametrize(('options', 'opset', 'int8'), [({}, 18, False), (dict(opset=20, int8=True), 20, True)])
def test_an_exporter_is_built_by_its_name(options, opset, int8):
    exporter = EXPORTERS.build(dict(type='OnnxExporter', **options))
    assert type(exporter) is OnnxExporter and (exporter.opset, exporter.int8, exporter.suffix) == (opset, int8, '.onnx')
    assert exporter.names == ('onnxruntime', 'onnxruntime int8')


def test_an_old_opset_and_one_that_is_not_there_yet_are_refused():
    with pytest.raises(ConfigError, match='opset must be at least 18, got 17'):
        OnnxExporter(opset=17)
    with pytest.raises(ConfigError, match=r'opset must be at most \d\d, which is the last that this onnx knows, got 99'):
        OnnxExporter(opset=99)


@pytest.mark.parametrize('int8', [False, True])
def test_a_file_is_quantised_where_it_is_asked_for(int8, tmp_path):
    path, weight = tmp_path / 'a.onnx', np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ['n', 8]) for name in ('x', 'y')]
    graph = onnx.helper.make_graph([onnx.helper.make_node('MatMul', ['x', 'w'], ['y'], 'product')], 'product', value[:1],
                                   value[1:], [onnx.numpy_helper.from_array(weight, 'w')])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid('', 18)], ir_version=10)
    onnx.helper.set_model_props(model, {KEY: about().to_json()})
    onnx.save(model, path)
    written = path.read_bytes()
    assert OnnxExporter(int8=int8).compress(path) is int8
    assert (path.read_bytes() == written) is not int8
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert json.loads(metadata[KEY])['precision'] == ('int8' if int8 else 'float32')


def test_a_model_that_one_file_cannot_hold_is_refused_before_it_is_traced(tmp_path):
    grounder = make_grounder(TINY['CLIPVG']())
    grounder.student.register_buffer('large', torch.zeros(1).expand(3 << 28))  # takes four bytes
    with pytest.raises(ExportError, match=r'the weights take 3\.0 GiB, and one ONNX file holds 2'):
        OnnxExporter().write(grounder, tmp_path / 'a.onnx')
    assert not list(tmp_path.iterdir())


def test_a_description_says_what_the_predictor_must_know_of_a_model():
    grounder = make_grounder()
    found = describe(grounder.student, grounder.description, TEXT)
    assert (found.student, found.canvas_size, found.long_side, found.max_tokens) == ('TransVG', 64, 64, 16)
    assert (found.tokenizer, found.tokenizer_options, found.precision) == ('hash', TEXT.options, 'float32')
    assert (found.has_score, found.score) == (True, 'AgreementScoreHead')
    assert found.pretrain_excludes == grounder.description.pretrain_excludes and {'mmduet', 'torch'} <= found.versions.keys()
    steps = [dict(type=LoadImage), dict(type=ResizeLongSide, sides=(32, )), dict(type=PlaceOnCanvas),
             dict(type='mmduet.PackGroundingInputs')]
    grounder.student.score_head = None
    other = describe(grounder.student, type(grounder.description)({}, steps, notice='Not for sale.'), TEXT)
    assert (other.canvas_size, other.long_side, other.has_score, other.score) == (640, 32, False, None)
    assert (other.pretrain_excludes, other.notice) == (None, 'Not for sale.')


@pytest.mark.parametrize(('numbers', 'images', 'expressions', 'index'), [
    ({}, 2, 3, [0, 1, 0]), (dict(images=1, expressions=2), 1, 2, [0, 0]), (dict(images=3, expressions=4), 3, 4, [0, 1, 2, 0])])
def test_example_inputs_are_of_several_images_and_expressions(numbers, images, expressions, index):
    image, content, image_index, token_ids, mask = example_inputs(about(), **numbers)
    assert image.shape == (images, 8, 8, 3) and image.dtype == torch.uint8
    assert content.tolist() == [[0, 2, 8, 6]] * images and image_index.tolist() == index
    assert token_ids.tolist() == mask.tolist() == [[1] * 5] * expressions
    assert example_inputs(about(max_tokens=40))[3].shape == (3, 7)


@pytest.mark.parametrize(('opset', 'scores'), [(18, False), (20, True)])
def test_a_graph_is_of_the_wanted_opset_and_takes_any_number_of_everything(opset, scores, tmp_path, quiet):
    described, module = about(has_score=scores), Centre(1 + scores)
    program = trace(module, described, opset)
    write_program(program, tmp_path / 'a.onnx')
    assert [path.name for path in tmp_path.iterdir()] == ['a.onnx']
    assert onnx.load(tmp_path / 'a.onnx').opset_import[0].version == opset
    session = onnxruntime.InferenceSession(tmp_path / 'a.onnx', providers=['CPUExecutionProvider'])
    assert [value.name for value in session.get_inputs()] == list(INPUTS)
    assert [value.name for value in session.get_outputs()] == ['boxes', 'scores'][:1 + scores]
    for images, expressions, tokens in ((1, 1, 2), (4, 6, 5)):
        image, content, index, *_ = example_inputs(described, images, expressions)
        ids = torch.arange(expressions * tokens).reshape(expressions, tokens)
        inputs = (torch.full_like(image, 7), content, index, ids, ids % 2)
        found = session.run(None, {name: value.numpy() for name, value in zip(INPUTS, inputs, strict=True)})
        for one, expected in zip(found, module(*inputs), strict=True):
            np.testing.assert_allclose(one, expected.numpy(), atol=1e-5)


def test_axes_are_shared_by_what_is_of_one_number():
    image, content, index, ids, mask = dynamic_axes(about())
    assert image[0] is content[0] and index[0] is ids[0] is mask[0] and ids[1] is mask[1]
    assert (image[0].__name__, index[0].__name__, ids[1].__name__) == ('images', 'expressions', 'tokens')
    assert (ids[1].min, ids[1].max) == (2, 5)


def test_a_graph_of_one_number_of_expressions_is_refused_by_the_name_of_the_student(quiet):
    with pytest.raises(ExportError, match=r'(?s)^Counting cannot be written as ONNX: .*expressions'):
        trace(Counting(), about(student='Counting'), 18)
