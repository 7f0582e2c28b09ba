"""To ONNX, one file that needs no other: graph, weights, tokenizer and description."""
import re
import warnings
from pathlib import Path
from typing import Any

import torch
from onnx.defs import onnx_opset_version
from onnxscript import optimizer
from torch import Tensor
from torch.export import Dim

from mmduet.apis.description import GrounderConfig, current_versions
from mmduet.apis.pretrained import PretrainedGrounder
from mmduet.datasets import LoadImage, PackGroundingInputs, PlaceOnCanvas, ResizeLongSide
from mmduet.engine.config_tools import ConfigError
from mmduet.export.base_exporter import Exporter
from mmduet.export.description import BOXES, INPUTS, KEY, SCORES, TOKENIZER_KEY, ExportedDescription
from mmduet.export.exported_graph import ExportedGrounder, ExportError
from mmduet.export.quantising import quantise
from mmduet.export.recurrent import use_operators
from mmduet.export.runtime import OnnxGrounder
from mmduet.export.tokenizer_json import TokenizerDescription, describe_tokenizer
from mmduet.models.base_grounder import BaseGrounder
from mmduet.registry import EXPORTERS

# Protobuf holds no more than 2 GiB in one message, and the graph takes some.
MOST_BYTES = (2 << 30) - (16 << 20)
LEAST_OPSET = 18


@EXPORTERS.register_module()
class OnnxExporter(Exporter):
    """Writes ONNX for any number of images and expressions and any length of text.

    Args:
        opset: of ONNX, at least 18.
        int8: quantise the weights of matrix products to 8 bits; activations are quantised when the model runs.
    """

    suffix = '.onnx'
    names = ('onnxruntime', 'onnxruntime int8')

    def __init__(self, opset: int = 18, int8: bool = False) -> None:
        if opset < LEAST_OPSET:
            raise ConfigError(f'opset must be at least {LEAST_OPSET}, got {opset}')
        if opset > (most := onnx_opset_version()):
            raise ConfigError(f'opset must be at most {most}, which is the last that this onnx knows, got {opset}')
        self.opset = opset
        self.int8 = int8

    def write(self, grounder: PretrainedGrounder, path: Path) -> None:
        """See ``Exporter.write``."""
        graph = ExportedGrounder(grounder.student)
        use_operators(graph)
        weights = sum(value.numel() * value.element_size() for value in graph.state_dict().values())
        if weights > MOST_BYTES:
            raise ExportError(f'the weights take {weights / 2**30:.1f} GiB, and one ONNX file holds 2')
        tokenizer = describe_tokenizer(graph.student.data_preprocessor.tokenizer)
        about = describe(graph.student, grounder.description, tokenizer)
        program = trace(graph, about, self.opset)
        program.model.metadata_props[KEY] = about.to_json()
        if tokenizer.content is not None:
            program.model.metadata_props[TOKENIZER_KEY] = tokenizer.content
        program.model.producer_name = 'mmduet'
        program.model.doc_string = f'{about.student} of mmduet: boxes of expressions in images'
        write_program(program, path)

    def open(self, path: Path) -> OnnxGrounder:
        """See ``Exporter.open``; with as many threads as PyTorch has, so that times can be compared."""
        return OnnxGrounder(path, threads=torch.get_num_threads())

    def compress(self, path: Path) -> bool:
        """See ``Exporter.compress``."""
        if self.int8:
            quantise(path, path)
        return self.int8


def write_program(program: Any, path: Path) -> None:
    """Write an ONNX program as one file.

    By itself, PyTorch would write large weights into another file beside, which nobody would rename or remove.
    """
    program.save(path, external_data=False)


def describe(student: BaseGrounder, about: GrounderConfig, text: TokenizerDescription) -> ExportedDescription:
    """What the file is to say of a model.

    Raises:
        ExportError: its test pipeline has a step that the predictor cannot do.
    """
    steps = about.test_pipeline
    found, known = [_name(step['type']) for step in steps], [kind.__name__ for kind in _PIPELINE]
    if found != known:
        raise ExportError(f'the test pipeline is {", ".join(found)}; what can be exported is {", ".join(known)}')
    _, resize, place, _ = steps
    sides = list(resize['sides'])
    if len(sides) != 1 or place.get('random'):
        raise ExportError('the test pipeline draws sizes or places at random, which is no evaluation')
    score, tokenizer = student.score_head, student.data_preprocessor.tokenizer
    return ExportedDescription(
        student=type(student).__name__, canvas_size=place.get('size', 640), long_side=sides[0],
        max_tokens=tokenizer.max_tokens if tokenizer else 0, tokenizer=text.kind, tokenizer_options=text.options,
        has_score=score is not None, score=type(score).__name__ if score is not None else None,
        pretrain_excludes=about.pretrain_excludes, notice=about.notice, versions=current_versions())


_PIPELINE = (LoadImage, ResizeLongSide, PlaceOnCanvas, PackGroundingInputs)


def _name(kind: Any) -> str:
    return kind.__name__ if isinstance(kind, type) else str(kind).rpartition('.')[2]


def example_inputs(about: ExportedDescription, images: int = 2, expressions: int = 3) -> tuple[Tensor, ...]:
    """Inputs of the graph, which must not be of one image, one expression or equal numbers to show what may differ."""
    size, length = about.canvas_size, min(7, about.max_tokens)
    content = torch.tensor([0, size // 4, size, size // 4 + size // 2]).repeat(images, 1)
    return (torch.zeros(images, size, size, 3, dtype=torch.uint8), content, torch.arange(expressions) % images,
            torch.ones(expressions, length, dtype=torch.int64), torch.ones(expressions, length, dtype=torch.int64))


def dynamic_axes(about: ExportedDescription) -> tuple[dict[int, Any], ...]:
    """Which axes of the inputs are of any length."""
    images, expressions, tokens = Dim('images'), Dim('expressions'), Dim('tokens', min=2, max=about.max_tokens)
    return {0: images}, {0: images}, {0: expressions}, {0: expressions, 1: tokens}, {0: expressions, 1: tokens}


def trace(graph: ExportedGrounder, about: ExportedDescription, opset: int) -> Any:
    """The ONNX program of a graph.

    Raises:
        ExportError: PyTorch cannot trace or translate it; holds what PyTorch says.
    """
    inputs = example_inputs(about)
    with torch.no_grad():
        graph(*inputs)  # once for real: what a part makes at its first call and keeps must not be made of symbols
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            # Here and not by the translation, which would go on with fixed axes where these cannot be of any length.
            program = torch.export.export(graph, inputs, dynamic_shapes=dynamic_axes(about))
            # Not optimised: a rule of onnxscript 0.7 loses the bounds of two clamps of one tensor.
            written: Any = torch.onnx.export(
                program, dynamo=True, opset_version=opset, input_names=list(INPUTS),
                output_names=[BOXES, SCORES] if about.has_score else [BOXES], verbose=False, optimize=False)
            optimizer.inline(written.model)
            optimizer.fold_constants(written.model)
            optimizer.remove_unused_nodes(written.model)
            optimizer.remove_unused_functions(written.model)
            return written
    except (OSError, MemoryError):
        raise
    except Exception as error:  # of many kinds
        summary = str(error).rpartition('## Exception summary')[2].strip().partition('\n\nThe error above')[0]
        if fixed := dict.fromkeys(re.findall(r'You marked (\w+) as dynamic but your code specialized it', summary)):
            axes = ' and of '.join(fixed)
            raise ExportError(f'{about.student} cannot be written as ONNX: it works for one number of {axes} alone; a '
                              'recurrent layer does (but for nn.GRU and nn.LSTM from PyTorch 2.8 on), and what makes numbers '
                              'of Python of a shape') from error
        raise ExportError(f'{about.student} cannot be written as ONNX: {summary:.600}') from error
