"""Exported models: ONNX files that are none, that name files elsewhere, that are larger than they say, with broken metadata."""
import json
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from mmduet.export.description import BOXES, INPUTS, KEY, TOKENIZER_KEY
from mmduet.export.runtime import OnnxGrounder
from tests.hostile.case import COMMAND, MARK, Calls, Case, Harmless, content, no_files

ABOUT = {'format': 1, 'student': 'TransVG', 'canvas_size': 32, 'long_side': 32, 'max_tokens': 8, 'tokenizer': 'hash',
         'tokenizer_options': {'first': 5, 'vocab_size': 100}, 'has_score': False, 'score': None, 'precision': 'float32',
         'pretrain_excludes': None, 'notice': '', 'versions': {}}
BY_FILE = {**ABOUT, 'tokenizer': 'tokenizers'}
KINDS = {'image': TensorProto.UINT8}
SAYS = partial(helper.make_node, 'Identity')
WHOLE = helper.make_tensor('whole', TensorProto.FLOAT, [1, 4], [0.0, 0.0, 1.0, 1.0])


def model(about: Any = ABOUT, weight: TensorProto = WHOLE, node: Callable[..., Any] = SAYS, **metadata: str) -> bytes:
    """A model whose boxes are a weight; ``node`` makes the part that says so."""
    inputs = [helper.make_tensor_value_info(name, KINDS.get(name, TensorProto.INT64), None) for name in INPUTS]
    graph = helper.make_graph([node(['whole'], [BOXES])], 'g', inputs,
                              [helper.make_tensor_value_info(BOXES, TensorProto.FLOAT, None)], [weight])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    text = about if isinstance(about, str) else json.dumps(about)
    helper.set_model_props(made, {KEY: text, **metadata})
    return bytes(made.SerializeToString())


def outside(location: str, length: int = 16) -> TensorProto:
    """A weight that lies in a file of another name."""
    weight = TensorProto(name='whole', data_type=TensorProto.FLOAT, dims=[1, 4], data_location=TensorProto.EXTERNAL)
    for key, value in (('location', location), ('offset', '0'), ('length', str(length))):
        weight.external_data.add(key=key, value=value)
    return weight


def sized(*dims: int, data: bytes = bytes(16)) -> TensorProto:
    """A weight that says sizes which its numbers have not."""
    return TensorProto(name='whole', data_type=TensorProto.FLOAT, dims=dims, raw_data=data)


GOOD = model()
NO_MODEL: dict[str, bytes | str] = {
    'nothing': b'', 'text': '<html>not found</html>', 'a pickle': pickle.dumps(Calls(eval, COMMAND)), 'zeros': bytes(1000),
    'cut': GOOD[:len(GOOD) // 2], 'a shell script': f'#!/bin/sh\n{COMMAND}\n', 'JSON': json.dumps(ABOUT),
    'groups 100,000 deep': b'\x0b' * 100_000, 'a length of 2**63': b'\x3a' + b'\xff' * 9 + b'\x01',
    'an operator of nobody': model(node=partial(helper.make_node, 'Evil', domain='evil.example')),
    'a Python operator': model(node=partial(helper.make_node, 'PyOp', domain='ai.onnx.contrib', module=MARK)),
    'weights in /etc/passwd': model(weight=outside('/etc/passwd')), 'weights in a parent': model(weight=outside('../../a.bin')),
    'weights in a device': model(weight=outside('/dev/zero')),
    'weights in a file that is not there': model(weight=outside('a.bin')),
    'weights of 2**62': model(weight=outside('a.onnx', 2**62)),
    'a weight of 2**40 numbers': model(weight=sized(2**40)), 'a size below zero': model(weight=sized(-1, 4)),
    'sizes whose product overflows': model(weight=sized(2**33, 2**33)), 'too few numbers': model(weight=sized(1, 400))}
METADATA: dict[str, tuple[Any, str]] = {
    'no JSON': ('{', 'is broken'), 'a list': ('[]', 'is broken'), 'lists 100,000 deep': ('[' * 100_000, 'is broken'),
    'another format': ({**ABOUT, 'format': 2}, 'has format 2'), 'no size': ({'format': 1}, 'is broken'),
    'a canvas of text': ({**ABOUT, 'canvas_size': 'x'}, 'impossible sizes'),
    'a canvas below zero': ({**ABOUT, 'canvas_size': -1}, 'impossible sizes'),
    'a side of 2**62': ({**ABOUT, 'long_side': 2**62}, 'impossible sizes'),
    'a canvas of 2**40': ({**ABOUT, 'canvas_size': 2**40, 'long_side': 2**40}, 'impossible sizes'),
    'tokens of 2**40': ({**ABOUT, 'max_tokens': 2**40}, 'impossible sizes'),
    'a tokenizer to import': ({**ABOUT, 'tokenizer': f'{MARK}.Evil'}, 'unknown kind'),
    'options that are a list': ({**ABOUT, 'tokenizer_options': []}, 'are broken'),
    'options below zero': ({**ABOUT, 'tokenizer_options': {'first': -5, 'vocab_size': 7}}, 'impossible tokenizer_options'),
    'a score that is not there': ({**ABOUT, 'has_score': True}, 'not what its metadata say')}
TOKENIZERS = {'no JSON': '{', 'nothing': '{}', 'another kind': '{"model": {"type": "Evil"}}',
              'lists 100,000 deep': '[' * 100_000}


def _open(path: Path) -> Any:
    return OnnxGrounder(path).outputs


DOORS = {'exported': _open}
def _beside(folder: Path) -> Path:
    """A model whose weights are those of a file that is there, outside its folder."""
    (folder / 'secret.bin').write_bytes(bytes(16))
    return content('model/a.onnx', model(weight=outside('../secret.bin')))(folder)


CASES = [
    Case('exported: weights in a file outside that is there', _beside, DOORS, r'a\.onnx is no ONNX model that'),
    Case('exported: good', content('a.onnx', GOOD), DOORS, Harmless([BOXES])),
    *(Case(f'exported: {name}', content('a.onnx', data), DOORS, r'a\.onnx is no ONNX model that')
      for name, data in NO_MODEL.items()),
    *(Case(f'exported: metadata, {name}', content('a.onnx', model(about)), DOORS, rf'a\.onnx.*{words}')
      for name, (about, words) in METADATA.items()),
    *(Case(f'exported: a tokenizer, {name}', content('a.onnx', model(BY_FILE, **{TOKENIZER_KEY: text})), DOORS,
           r'tokenizer in the metadata is broken') for name, text in TOKENIZERS.items()),
    *(Case(f'exported: {name}', maker, DOORS, r'\.onnx|/dev/zero') for name, maker in no_files('a.onnx', '.onnx').items()),
]
assert onnx.load_model_from_string(GOOD).graph.node
