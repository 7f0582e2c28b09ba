"""Which weights a teacher has, by what a file holds and not by its name."""
import json
from pathlib import Path

from mmduet.io.files import find_file, sha256_of
from mmduet.io.text import read_json
from mmduet.models.teachers.file_facts import CONFIG

RANDOM, ABSENT = 'random', 'a file that is not here'


def identify_weights(pretrained: str | None) -> str:
    """'random', a tag of open_clip, or the SHA-256 of a file and of the description beside it.

    >>> from mmduet.models.teachers.weights_identity import identify_weights
    >>> identify_weights(None), identify_weights('openai'), identify_weights('gone/clip.pt')
    ('random', 'tag openai', 'a file that is not here (clip.pt)')
    """
    if pretrained is None:
        return RANDOM
    try:
        path = find_file(pretrained)
        beside = path.with_name(CONFIG)
        return f'SHA-256 {sha256_of(path)}' + (f' with {CONFIG} {hash_json(beside)}' if beside.is_file() else '')
    except FileNotFoundError:
        is_tag = not Path(pretrained).suffix and '/' not in pretrained
        return f'tag {pretrained}' if is_tag else f'{ABSENT} ({Path(pretrained).name})'


def hash_json(path: Path) -> str:
    """SHA-256 of a JSON file, whatever its layout."""
    return sha256_of(json.dumps(read_json(path), sort_keys=True).encode())
