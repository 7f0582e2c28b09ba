"""An exporter of a user's own, which takes no time: the numbers of a model, one after the other."""
from pathlib import Path
from typing import NoReturn

from mmduet.apis.pretrained import PretrainedGrounder
from mmduet.export.base_exporter import Exporter


class BytesExporter(Exporter):
    """Writes the weights and no more."""

    suffix = '.bytes'

    def write(self, grounder: PretrainedGrounder, path: Path) -> None:
        """See ``Exporter.write``."""
        path.write_bytes(b''.join(value.numpy().tobytes() for value in grounder.student.state_dict().values()))

    def open(self, path: Path) -> NoReturn:
        """See ``Exporter.open``; nothing is asked of these files."""
        raise NotImplementedError
