"""The base of exporters: a model to a file, and back to something that answers as the model does."""
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from mmduet.apis.pretrained import PretrainedGrounder
from mmduet.apis.results import GroundingResults

Predictor = Callable[..., GroundingResults]


class Exporter(ABC):
    """Writes a model in another format. Register one by ``@EXPORTERS.register_module()``, or name its class in a config.

    Attributes:
        suffix: of its files, with the dot.
        names: of what ``write`` and what ``compress`` wrote, in messages.
    """

    suffix: ClassVar[str]
    names: ClassVar[tuple[str, str]] = ('exported', 'compressed')

    @abstractmethod
    def write(self, grounder: PretrainedGrounder, path: Path) -> None:
        """Write a model to a path that is free; ``mmduet export`` moves the file where it belongs once it is checked.

        Raises:
            ExportError: the model has a part that the format cannot hold; says which.
        """

    @abstractmethod
    def open(self, path: Path) -> Predictor:
        """What ``write`` wrote, to be called as a ``GroundingInferencer`` is: with images and expressions, for results."""

    def compress(self, path: Path) -> bool:
        """Make what ``write`` wrote smaller at a loss, which is measured; False where nothing is to be done."""
        return False
