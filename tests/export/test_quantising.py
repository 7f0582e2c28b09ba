import re
import resource
import tempfile

import numpy as np
import onnx
import onnxruntime
import pytest

from mmduet.export import OnnxGrounder
from mmduet.export.exported_graph import ExportError
from mmduet.export.quantising import quantise
from mmduet.io.failures import describe_failure
from tests.limits import limited

TEXTS = ['the red circle', 'the leftmost ring above the blue square', 'a ball']


def test_a_disk_that_refuses_to_quantise_names_the_folder_of_the_system(exported, tmp_path):
    with pytest.raises(OSError, match='File too large') as caught, limited(resource.RLIMIT_FSIZE, 1000):
        quantise(exported, tmp_path / 'int8.onnx')
    assert describe_failure(caught.value).startswith(f'{tempfile.gettempdir()}/')
    assert not list(tmp_path.iterdir())


def test_an_onnxruntime_that_cannot_prepare_the_graph_is_named(exported, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise onnx.shape_inference.InferenceError('shapes differ')

    monkeypatch.setattr('onnxruntime.quantization.shape_inference.quant_pre_process', refuse)
    with pytest.raises(ExportError, match=rf'^onnxruntime {re.escape(onnxruntime.__version__)} cannot prepare the graph for 8 '
                                          r'bits \(shapes differ\): take a newer one, or export without --int8$'):
        quantise(exported, tmp_path / 'int8.onnx')
    assert not list(tmp_path.iterdir())


def test_shapes_inside_the_graph_are_inferred_anew(exported, tmp_path):
    model = onnx.load(exported)
    inside = model.graph.value_info.add()
    inside.CopyFrom(onnx.helper.make_tensor_value_info(model.graph.node[0].output[0], onnx.TensorProto.FLOAT, [3, 1, 4, 1, 5]))
    onnx.save(model, tmp_path / 'wrong.onnx')
    quantise(tmp_path / 'wrong.onnx', tmp_path / 'int8.onnx')
    assert OnnxGrounder(tmp_path / 'int8.onnx').description.precision == 'int8'


def test_eight_bits_are_a_third_of_the_file_and_move_boxes_a_little(exported, tmp_path):
    quantise(exported, tmp_path / 'int8.onnx')
    light, small = OnnxGrounder(exported), OnnxGrounder(tmp_path / 'int8.onnx')
    assert (light.description.precision, small.description.precision) == ('float32', 'int8')
    assert small.description.to_json() == light.description.to_json().replace('"float32"', '"int8"')
    assert (tmp_path / 'int8.onnx').stat().st_size < 0.6 * exported.stat().st_size
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    boxes = np.array([[result.box for result in model(image, TEXTS, channel_order='rgb')] for model in (light, small)]) / 64
    assert 1e-6 < np.abs(boxes[0] - boxes[1]).max() < 0.1
