"""Weights of 8 bits."""
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmduet.export.description import KEY, ExportedDescription
from mmduet.export.exported_graph import ExportError
from mmduet.io.files import naming

PRODUCTS = ('MatMul', 'Gemm')


def quantise(source: Path, target: Path) -> None:
    """Quantise the weights of linear layers of an exported model to 8 bits, each output channel by itself.

    Activations are quantised when the model runs, by their range then (dynamic quantisation). Convolutions and embeddings stay:
    onnxruntime computes the former in 8 bits more slowly. ``target`` may be ``source``.

    Raises:
        ExportError: this onnxruntime cannot prepare the graph; its version is named.
    """
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process
    onnxruntime.set_default_logger_severity(3)  # it warns of what it cannot fold
    with tempfile.TemporaryDirectory() as folder:
        bare, prepared, written = (Path(folder) / f'{name}.onnx' for name in ('bare', 'prepared', 'int8'))
        with naming(prepared):  # the disk of the system's folder may be full, and that of the target not
            # Without the shapes inside, which are inferred anew: onnxruntime 1.23 takes some that the exporter wrote for wrong.
            model = onnx.load(str(source))
            del model.graph.value_info[:]
            onnx.save(model, str(bare))
            try:
                quant_pre_process(str(bare), str(prepared), skip_symbolic_shape=True)
                quantize_dynamic(str(prepared), str(written), op_types_to_quantize=list(PRODUCTS), per_channel=True,
                                 weight_type=QuantType.QInt8, nodes_to_exclude=_of_many_matrices(onnx.load(str(prepared))))
            except onnx.shape_inference.InferenceError as error:
                raise ExportError(f'onnxruntime {onnxruntime.__version__} cannot prepare the graph for 8 bits ({error}): '
                                  'take a newer one, or export without --int8') from error
        model, original = onnx.load(str(written)), onnx.load(str(source))
    metadata = {entry.key: entry.value for entry in original.metadata_props}
    about = replace(ExportedDescription.from_metadata(metadata, str(source)), precision='int8')
    onnx.helper.set_model_props(model, {**metadata, KEY: about.to_json()})
    model.producer_name, model.doc_string = original.producer_name, original.doc_string
    onnx.save(model, str(target))


def _of_many_matrices(model: Any) -> list[str]:
    """Products with several matrices side by side, whose channels onnxruntime cannot quantise one by one."""
    axes = {value.name: len(value.dims) for value in model.graph.initializer}
    return [node.name for node in model.graph.node
            if node.op_type in PRODUCTS and any(axes.get(name, 2) != 2 for name in node.input[:2])]
