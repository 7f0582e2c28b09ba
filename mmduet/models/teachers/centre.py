"""Embeddings relative to the mean of a data set: what all have in common says nothing about any one of them."""
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from mmduet.io.errors import DataError
from mmduet.io.files import find_file
from mmduet.io.safetensors_files import read_metadata, read_safetensors, write_safetensors
from mmduet.io.text import parse_json

# Other annotated boxes are regions too.
MEANS = {'text': 'text', 'region': 'region', 'others': 'region', 'image': 'image', 'patches': 'patches'}
SCALE, SETTINGS = 'logit_scale', 'teacher'


class Centre(nn.Module):
    """Subtracts the mean of a data set from a teacher's embeddings, which then get unit norm again.

    The cosines of centred embeddings are others, and so is their logit scale: the file holds the one under which matching
    texts and regions are likeliest among 64, over the data that the means are of.

    Args:
        path: file of ``write_centre``.
        settings: of the teacher (see ``CLIPTeacher.settings``), which must be those that the file was written with.

    Raises:
        FileNotFoundError: no such file.
        ValueError: truncated, no file of ``write_centre``, or of another teacher; says what differs.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Any]) -> None:
        super().__init__()
        file = find_file(path)
        means, written = read_safetensors(file), parse_json(read_metadata(file).get(SETTINGS, '{}'), str(file))
        strange = sorted(set(means) - {*MEANS.values(), SCALE})
        if strange or not isinstance(written, dict):
            raise DataError(f'{path} is no file of write_centre: {strange[0] if strange else SETTINGS!r} is not of its entries')
        found = [f'{name} {written.get(name)!r} and not {value!r}' for name, value in settings.items()
                 if written.get(name) != value]
        if found:
            raise ValueError(f'{path} is the centre of a teacher of {"; ".join(found)}: write it anew with '
                             'mmduet analyse-teacher CONFIG --centre FILE')
        for name, mean in means.items():
            self.register_buffer(name, mean, persistent=False)

    def forward(self, name: str, embeddings: Tensor) -> Tensor:
        """Centre (N, D) or (N, D, h, w) embeddings of the target ``name``."""
        mean = self.get_buffer(MEANS[name]).float()
        return F.normalize(embeddings - mean.view(-1, *[1] * (embeddings.dim() - 2)), dim=1)


def write_centre(path: Path, means: Mapping[str, Tensor], logit_scale: Tensor, settings: Mapping[str, Any]) -> None:
    """Write a file for ``Centre``.

    Args:
        path: of the file.
        means: (D,) by target: ``text``, ``region``, ``image`` and, where the teacher gives them, ``patches``.
        logit_scale: () for the cosines of centred texts and regions.
        settings: of the teacher.
    """
    tensors = {name: value.detach().float().cpu().contiguous() for name, value in {**means, SCALE: logit_scale}.items()}
    write_safetensors(path, tensors, {SETTINGS: json.dumps(dict(settings))})
