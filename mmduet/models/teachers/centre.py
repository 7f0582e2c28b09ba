"""Embeddings relative to the mean of a data set: what all have in common says nothing about any one of them."""
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mmduet.io.files import find_file, write_atomically
from mmduet.io.weights import read_weights

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
        ValueError: truncated, or of another teacher; says what differs.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Any]) -> None:
        super().__init__()
        file = find_file(path)
        means = read_weights(file)
        with safe_open(file, 'pt') as opened:
            written = json.loads((opened.metadata() or {}).get(SETTINGS, '{}'))
        found = [f'{name} {written.get(name)!r} and not {value!r}' for name, value in settings.items()
                 if written.get(name) != value]
        if found:
            raise ValueError(f'{path} is the centre of a teacher of {"; ".join(found)}: write it anew with '
                             'tools/analysis_tools/analyse_teacher.py CONFIG --centre FILE')
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
    write_atomically(path, save(tensors, metadata={SETTINGS: json.dumps(dict(settings))}))
