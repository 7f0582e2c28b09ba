from copy import deepcopy

import onnxruntime
import pytest
import torch
from torch import nn
from torch.export import Dim

from mmduet.engine.config_tools import ConfigError
from mmduet.export.recurrent import use_operators


def with_operators(layer):
    copy = deepcopy(layer).eval()
    use_operators(copy)
    return copy


def flat(answer):
    output, last = answer
    return [output, *(last if isinstance(last, tuple) else (last, ))]


class Flat(nn.Module):
    """A layer with a list of tensors for its answer."""

    def __init__(self, layer, with_states):
        super().__init__()
        self.layer, self.with_states = layer, with_states

    def forward(self, tokens, *states):
        lstm = isinstance(self.layer, nn.LSTM)
        return tuple(flat(self.layer(tokens, (states if lstm else states[0]) if self.with_states else None)))


def draw(layer, rows, length, with_states):
    tokens = torch.randn(*((rows, length) if layer.batch_first else (length, rows)), layer.input_size)
    count = layer.num_layers * (1 + layer.bidirectional)
    states = (1 + isinstance(layer, nn.LSTM)) * with_states
    return tokens, *[torch.randn(count, rows, layer.hidden_size) for _ in range(states)]


@pytest.mark.parametrize('kind', [nn.GRU, nn.LSTM])
@pytest.mark.parametrize(('options', 'with_states'), [
    ({'batch_first': True}, False), ({}, True), ({'num_layers': 2, 'bidirectional': True, 'dropout': 0.5}, True),
    ({'num_layers': 2, 'bias': False, 'batch_first': True}, False)])
@torch.no_grad()
def test_a_graph_of_any_length_answers_as_the_layer_does(kind, options, with_states):
    torch.manual_seed(0)
    layer = kind(5, 4, **options)
    graph = Flat(with_operators(layer), with_states)
    example = draw(layer, 3, 7, with_states)
    graph(*example)
    rows, length = Dim('rows'), Dim('length', min=2)
    tokens_axes = {0: rows, 1: length} if layer.batch_first else {0: length, 1: rows}
    state_axes = [tuple({1: rows} for _ in example[1:])] * with_states
    program = torch.export.export(graph, example, dynamic_shapes=(tokens_axes, *state_axes))
    written = torch.onnx.export(program, dynamo=True, opset_version=18, verbose=False, optimize=False)
    session = onnxruntime.InferenceSession(written.model_proto.SerializeToString(), providers=['CPUExecutionProvider'])
    for rows_now, length_now in ((3, 7), (1, 2), (5, 11)):
        inputs = draw(layer, rows_now, length_now, with_states)
        found = session.run(None, {each.name: value.numpy() for each, value in zip(session.get_inputs(), inputs, strict=True)})
        expected = Flat(layer.eval(), with_states)(*inputs)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(torch.from_numpy(one), other, atol=1e-6, rtol=0)


def test_what_the_operators_cannot_do_is_said():
    packed = nn.utils.rnn.pack_padded_sequence(torch.zeros(3, 2, 5), [3, 1])
    with pytest.raises(ConfigError, match=r'^GRU must be given padded tokens of three axes.*got PackedSequence'):
        with_operators(nn.GRU(5, 4))(packed)
    with pytest.raises(ConfigError, match=r'^LSTM must be given padded tokens of three axes.*got Tensor'):
        with_operators(nn.LSTM(5, 4))(torch.zeros(3, 5))
    with pytest.raises(ConfigError, match='LSTM with proj_size'):
        with_operators(nn.LSTM(5, 4, proj_size=2))(torch.zeros(3, 2, 5))
