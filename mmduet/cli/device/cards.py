"""What cards can do at most, by their makers' data sheets; dense, without sparsity."""
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """Limits of a card.

    Attributes:
        name: a part of what the driver calls it.
        half: products in bfloat16 (float16 where there is none), TFLOP/s.
        link: to the cards beside it, GB/s in each direction: NVLink, or PCIe where there is none.
    """

    name: str
    half: float
    link: float


CARDS = (
    Card('H200', 989.4, 450), Card('H100', 989.4, 450), Card('H100 PCIe', 756.0, 64),
    Card('A100', 312.0, 300), Card('L40S', 362.1, 32), Card('RTX 4090', 165.2, 32),
    Card('RTX 3090', 71.2, 32), Card('RTX A6000', 154.8, 32), Card('A10', 125.0, 32), Card('L4', 121.0, 32),
    Card('V100', 125.0, 150), Card('T4', 65.1, 16))


def find_card(name: str) -> Card | None:
    """The card that a driver's name is of, None where it is not in the table.

    >>> from mmduet.cli.device.cards import find_card
    >>> find_card('NVIDIA H100 80GB HBM3').half, find_card('NVIDIA H100 PCIe').half, find_card('cpu')
    (989.4, 756.0, None)
    """
    words = name.replace('-', ' ').split()
    fits = [card for card in CARDS if any(words[start:start + len(card.name.split())] == card.name.split()
                                          for start in range(len(words)))]
    return max(fits, key=lambda card: len(card.name), default=None)
