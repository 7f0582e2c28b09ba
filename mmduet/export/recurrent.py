"""Recurrent layers as the operators that ONNX has for them: steps written out would fix the length of a text in a graph."""
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mmduet.engine.config_tools import ConfigError

States = tuple[Tensor, ...] | None


class ExportedRecurrent(nn.RNNBase):
    """A recurrent layer whose call is an operator of ONNX; by itself, outside of a graph, it answers zeros.

    Attributes:
        operator: of ONNX.
        gates: which of PyTorch's gates stand where ONNX has them.
        num_states: that a direction keeps.
        options: further attributes of the operator.
    """

    operator: ClassVar[str]
    gates: ClassVar[tuple[int, ...]]
    num_states: ClassVar[int]
    options: ClassVar[dict[str, Any]] = {}

    def compute(self, tokens: Tensor, states: States) -> tuple[Tensor, list[Tensor]]:
        """Output of the last layer and the last states of all, for tokens and first states as PyTorch takes them.

        Raises:
            ConfigError: a packed sequence, or tokens without an axis of the batch.
        """
        if not isinstance(tokens, Tensor) or tokens.dim() != 3:
            raise ConfigError(f'{self.operator} must be given padded tokens of three axes to be exported, got '
                              f'{type(tokens).__name__}: a packed sequence is of one batch, and one direction has the same '
                              'states before the padding without packing')
        if not hasattr(self, '_weights'):
            self._weights = [self._weights_of(layer) for layer in range(self.num_layers)]
        tokens = tokens.transpose(0, 1) if self.batch_first else tokens
        directions = 1 + self.bidirectional
        last: list[list[Tensor]] = []
        for layer, (read, keep, bias) in enumerate(self._weights):
            first = [None] * self.num_states if states is None else [
                state[directions * layer:directions * (layer + 1)] for state in states]
            shape = (directions, tokens.shape[1], self.hidden_size)
            output, *ends = torch.onnx.ops.symbolic_multi_out(
                self.operator, (tokens, read, keep, bias, None, *first),
                {'hidden_size': self.hidden_size, 'direction': ('forward', 'bidirectional')[directions - 1], **self.options},
                dtypes=[tokens.dtype] * (1 + self.num_states),
                shapes=[(tokens.shape[0], *shape), *[shape] * self.num_states])
            tokens = output.transpose(1, 2).flatten(2)
            last.append(ends)
        output = tokens.transpose(0, 1) if self.batch_first else tokens
        return output, [torch.cat(of_layers) for of_layers in zip(*last, strict=True)]

    def _weights_of(self, layer: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """What a layer multiplies tokens and states by, and its biases, stacked over directions."""
        ends = [f'_l{layer}', f'_l{layer}_reverse'][:1 + self.bidirectional]

        def stack(*names: str) -> Tensor:
            return torch.stack([torch.cat([getattr(self, name + end).chunk(len(self.gates))[gate]
                                           for name in names for gate in self.gates]) for end in ends])

        return stack('weight_ih'), stack('weight_hh'), stack('bias_ih', 'bias_hh') if self.bias else None


class ExportedGRU(ExportedRecurrent, nn.GRU):
    """``nn.GRU``."""

    operator, gates, num_states, options = 'GRU', (1, 0, 2), 1, {'linear_before_reset': 1}

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """See ``nn.GRU``."""
        output, (last, ) = self.compute(input, None if hx is None else (hx, ))
        return output, last


class ExportedLSTM(ExportedRecurrent, nn.LSTM):
    """``nn.LSTM`` without projections."""

    operator, gates, num_states = 'LSTM', (0, 3, 1, 2), 2

    def forward(self, input: Tensor, hx: States = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:  # type: ignore[override]
        """See ``nn.LSTM``.

        Raises:
            ConfigError: the layer has a ``proj_size``.
        """
        if self.proj_size:
            raise ConfigError('an LSTM with proj_size cannot be exported: ONNX has no such operator')
        output, (hidden, cell) = self.compute(input, hx)
        return output, (hidden, cell)


# From PyTorch 2.8 on.
OPERATORS: dict[type[nn.Module], type[nn.Module]] = (
    {nn.GRU: ExportedGRU, nn.LSTM: ExportedLSTM} if hasattr(torch.onnx, 'ops') else {})


def use_operators(model: nn.Module) -> None:
    """Make recurrent layers of a model, which is then for ONNX alone, operators of ONNX."""
    for module in model.modules():
        module.__class__ = OPERATORS.get(type(module), type(module))
