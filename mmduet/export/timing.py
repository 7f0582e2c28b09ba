"""How long one answer takes: the model as it is, as the CPU has it fastest, and exported."""
import time
from collections.abc import Callable, Mapping
from copy import deepcopy

import numpy as np

from mmduet.apis.inferencer import GroundingInferencer
from mmduet.apis.pretrained import PretrainedGrounder
from mmduet.export.base_exporter import Predictor
from mmduet.models.cpu import undo_for_cpu
from mmduet.refshapes import make_example

EAGER, OPTIMISED, WARM_UP = 'eager', 'optimise_for_cpu', 2


def time_predictors(grounder: PretrainedGrounder, exported: Mapping[str, Predictor], rounds: int = 20) -> dict[str, float]:
    """Median seconds of one answer to one expression about one image, from its pixels to the box, by the name of who gives it.

    All take turns, so that what else the machine does meets them alike.

    Args:
        grounder: as PyTorch runs it, with its parts as they are and by ``optimise_for_cpu``.
        exported: what the exporter opened.
        rounds: at least 1, after two that do not count.
    """
    if rounds < 1:
        raise ValueError(f'rounds must be positive, got {rounds}')
    plain = GroundingInferencer(_copy(grounder), device='cpu', show_progress=False)
    undo_for_cpu(plain.model)
    fast = GroundingInferencer(_copy(grounder), device='cpu', show_progress=False)
    predictors: dict[str, Callable[..., object]] = {EAGER: plain, OPTIMISED: fast, **exported}
    example = make_example(0, 'val', 0, size=480)
    image, text = np.ascontiguousarray(example.image[:360]), example.expressions[0].text
    seconds: dict[str, list[float]] = {name: [] for name in predictors}
    for number in range(WARM_UP + rounds):
        for name, predict in predictors.items():
            start = time.perf_counter()
            predict(image, text, channel_order='rgb')
            if number >= WARM_UP:
                seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in seconds.items()}


def _copy(grounder: PretrainedGrounder) -> PretrainedGrounder:
    return PretrainedGrounder(deepcopy(grounder.student), grounder.description)
