"""What one, eight and 64 cards could do at most, by counting a step and dividing."""
import argparse
import statistics
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from mmengine.registry import DATASETS, DefaultScope
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mmduet.cli.benchmark_groups import load_groups
from mmduet.cli.device.cards import CARDS
from mmduet.models.distill import student_of

if TYPE_CHECKING:
    from mmengine.config import Config

SHOWN = ('H100', 'A100', 'RTX 4090')
COUNTED, PER_CARD = 8, 64  # expressions of the step that is counted, and of a step of a card
NETWORK = 50.0  # GB/s between machines of eight cards: 400 Gbit/s
EXPRESSIONS, EPOCHS = 120_624, 90  # of RefCOCO's training, by the recipe of TransVG
# What is reached of a limit is not known before it is measured; a half is what well-fed convolutional models often reach.
SHARE = 0.5


def calculate(model: nn.Module, cfg: 'Config', args: argparse.Namespace) -> dict[str, Any]:
    """Count a step and a prediction without computing them, decode some images, and divide limits by what was counted."""
    with DefaultScope.overwrite_default_scope('mmduet'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
    gradients = 4 * sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    rate = decoding_rate(dataset)
    student: Any = student_of(model)
    batches = {k: next(load_groups(dataset, COUNTED, k)) for k in args.numbers}
    taught = {k: {'teacher': count_teaching(model, batch) / COUNTED} if student is not model else {}
              for k, batch in batches.items()}
    student.to('meta')
    student.data_preprocessor.encode_padding = True
    counted = {k: {'training': count_flops(student, batch, True) / COUNTED,
                   'prediction': count_flops(student, batch, False) / COUNTED, **taught[k]}
               for k, batch in batches.items()}
    cards = [_calculate_card(card, k, counted[k], gradients, rate) for card in CARDS if card.name in SHOWN
             for k in args.numbers]
    return {'config': args.config, 'distilled': student is not model, 'gradient_bytes': gradients,
            'images_per_second_and_core': rate, 'flops_per_expression': counted, 'cards': cards}


def count_flops(model: Any, batch: dict[str, Any], training: bool) -> int:
    """Operations of a step, two for a multiply-add, of a model on the device ``meta``, which computes nothing."""
    model.train(training)
    with torch.set_grad_enabled(training), FlopCounterMode(display=False) as counter:
        made = model.data_preprocessor(batch, training)['batch']
        if training:
            sum(model(made, mode='loss').values()).backward()
        else:
            model(made)
    return int(counter.get_total_flops())


def count_teaching(model: Any, batch: dict[str, Any]) -> int:
    """Operations of the teachers in a step, which computes them: autocast knows no device ``meta``."""
    made = model.data_preprocessor(batch, True)['batch']
    before = torch.backends.mha.get_fastpath_enabled()
    # Neither a whole layer in one operation nor a CPU's fused attention is counted.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            model.teach(made)
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
    return int(counter.get_total_flops())


def decoding_rate(dataset: Any, count: int = 16) -> float:
    """Images that one core reads, decodes, augments and resizes in a second; the median."""
    def read(index: int) -> float:
        start = time.perf_counter()
        dataset[index]
        return time.perf_counter() - start

    return 1 / statistics.median(read(index) for index in islice(range(len(dataset)), count))


def all_reduce_seconds(gradients: int, cards: int, link: float) -> float:
    """Seconds to add up gradients over cards, in rings: 2 (n - 1) / n of the bytes over each link, machines of eight."""
    def ring(size: float, members: int, speed: float) -> float:
        return 2 * (members - 1) / members * size / (speed * 1e9)

    inside = ring(gradients, min(cards, 8), link)
    return inside if cards <= 8 else inside + ring(gradients, cards // 8, NETWORK)


def _calculate_card(card: Any, k: int, flops: dict[str, float], gradients: int, rate: float) -> dict[str, Any]:
    limit = card.half * 1e12 / flops['training']
    step = PER_CARD / (SHARE * limit)
    sizes = []
    for count in (1, 8, 64):
        # Gradients travel while the backward pass, two thirds of a step, goes on; what does not fit into it is waited for.
        traffic = all_reduce_seconds(gradients, count, card.link) if count > 1 else 0.0
        whole = step + max(0.0, traffic - 2 / 3 * step)
        speed = count * PER_CARD / whole
        sizes.append({'cards': count, 'expressions_per_second': speed, 'all_reduce_ms': 1e3 * traffic, 'step_ms': 1e3 * step,
                      'hours': EXPRESSIONS * EPOCHS / speed / 3600, 'cores': speed / k / rate})
    return {'card': card.name, 'k': k, 'limit': limit, 'prediction_limit': card.half * 1e12 / flops['prediction'],
            'sizes': sizes}


def format_paper(report: dict[str, Any]) -> str:
    """The arithmetic and its tables."""
    lines = [f'{report["config"]}: counted, 2 per multiply-add; nothing of it is measured but the decoding'
             + ('; the head is not counted, and the table is of the student alone' if report['distilled'] else ''), '']
    for k, flops in report['flops_per_expression'].items():
        lines.append(f'k = {k}: a training step is {flops["training"] / 1e9:.1f} GFLOP per expression, a prediction '
                     f'{flops["prediction"] / 1e9:.1f}'
                     + (f'; the teacher adds {flops["teacher"] / 1e9:.1f}, {flops["teacher"] / flops["training"]:.0%}'
                        if report['distilled'] else ''))
    lines += [f'gradients: {report["gradient_bytes"] / 1e6:.0f} MB in float32; one core makes '
              f'{report["images_per_second_and_core"]:.1f} images of 640 x 480 a second ready', '',
              f'limit = TFLOP/s of the card / GFLOP per expression; the rest at {SHARE:.0%} of it, {PER_CARD} expressions a '
              'card',
              '', '| card | k | limit, expressions/s | cards | expressions/s | step, ms | all-reduce, ms | '
              f'{EPOCHS} epochs of RefCOCO, h | cores that decode |', '| --- ' + '| ---: ' * 8 + '|']
    for card in report['cards']:
        lines += [f'| {card["card"]} | {card["k"]} | {card["limit"]:.0f} | {size["cards"]} | '
                  f'{size["expressions_per_second"]:.0f} | {size["step_ms"]:.1f} | {size["all_reduce_ms"]:.1f} | '
                  f'{size["hours"]:.2f} | {size["cores"]:.0f} |' for size in card['sizes']]
    return '\n'.join(lines)
