"""Parts of a model that are trained only after some epochs."""
import gc
from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from torch import nn

from mmduet.engine.config_tools import ConfigError
from mmduet.engine.runner import GroundingRunner
from mmduet.registry import HOOKS


@HOOKS.register_module()
class FreezeHook(Hook):
    """Leave parts of the model untrained for the first epochs, as VLTVG does with its pretrained branches.

    A frozen parameter has no gradient, so neither momentum nor weight decay moves it, and no graph is kept for it. Dropout
    stays as it is. What is frozen follows from the epoch alone, so a resumed run goes on exactly.

    Args:
        parts: names of submodules, such as ``'visual_encoder'``; found under ``student.`` of a distilled model too.
        epochs: how many epochs they stay frozen; 0 for none.
    """

    def __init__(self, parts: Sequence[str], epochs: int) -> None:
        if isinstance(parts, str) or not parts or epochs < 0:
            raise ValueError(f'parts must be a list of names and epochs at least 0, got {parts!r} and {epochs}')
        self._parts, self._epochs = tuple(parts), epochs
        self._frozen: list[nn.Parameter] = []

    def before_train(self, runner: GroundingRunner) -> None:
        """Raise a ``ConfigError`` for a part without a trainable parameter."""
        for part in self._parts:
            if not trainable_parameters(runner.plain_model, [part]) and not self._frozen:
                raise ConfigError(f'nothing to freeze: {type(runner.plain_model).__name__} has no trainable parameter in a '
                                  f'part called {part!r}')

    def before_train_epoch(self, runner: GroundingRunner) -> None:
        """Freeze or release the parts; the first epoch that trains them is number ``epochs``, counted from 0."""
        freeze = runner.epoch < self._epochs
        if freeze == bool(self._frozen):
            return
        if freeze:
            self._frozen = trainable_parameters(runner.plain_model, self._parts)
        for parameter in self._frozen:
            parameter.requires_grad_(not freeze)
            parameter.grad = None
        count = sum(parameter.numel() for parameter in self._frozen) / 1e6
        if not freeze:
            self._frozen = []
        runner.logger.info(f'{", ".join(self._parts)}: {count:.1f} M parameters are '
                           + (f'frozen until epoch {self._epochs} is over' if freeze else 'trained from now on'))
        if is_model_wrapper(runner.model):  # its wrapper waits for the gradients that there were when it was made
            runner.model = runner.plain_model
            gc.collect()  # the old wrapper's hooks on the parameters go with it
            runner.model = runner.wrap_model(runner.cfg.get('model_wrapper_cfg'), runner.model)


def trainable_parameters(model: nn.Module, parts: Sequence[str]) -> list[nn.Parameter]:
    """Parameters that take a gradient and lie in a submodule with one of the names, at any depth."""
    return [parameter for name, parameter in model.named_parameters()
            if parameter.requires_grad and set(name.split('.')[:-1]) & set(parts)]
