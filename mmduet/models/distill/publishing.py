"""The student of a distilled checkpoint, with what its score needs of the distillation head."""
import re
from collections.abc import Mapping

from torch import Tensor

# Keys of the distillation head whose weights an ``AgreementScoreHead`` takes, which of its two halves, and in which space.
_TAKEN = ((r'head\.spaces\.([^.]+)\.projectors\.text\.', 'anchors', 'text'),
          (r'head\.spaces\.([^.]+)\.projectors\.region\.', 'regions', 'text'),
          (r'head\.terms\.([^.]+)\.anchor\.projector\.', 'anchors', 'query'),
          (r'head\.terms\.([^.]+)\.projector\.(?=layers)', 'regions', 'query'),
          (r'head\.terms\.([^.]+)\.anchor\.(?=layers)', 'anchors', 'placed'),
          (r'head\.terms\.([^.]+)\.regions\.', 'regions', 'placed'))
Halves = dict[str, dict[str, Tensor]]


def publish_student(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State dict of the student, ``score_head.*`` included; a state dict of a plain student is returned as it is.

    Of several teachers, and of several terms, the first counts that has both halves of a space: expressions and regions.
    """
    student = {key.removeprefix('student.'): value for key, value in state.items() if key.startswith('student.')}
    if not student or any(key.startswith('score_head.') for key in student):
        return student or dict(state)
    found: dict[tuple[str, str], Halves] = {}  # by space, and by teacher or term
    for key, value in state.items():
        for pattern, half, space in _TAKEN:
            if match := re.match(pattern, key):
                owned = found.setdefault((space, match[1]), {})
                owned.setdefault(half, {})[f'score_head.{half}.{space}.{key[match.end():]}'] = value
    for space in ('text', 'query', 'placed'):
        whole = (halves for (name, _), halves in found.items() if name == space and len(halves) == 2)
        for weights in next(whole, {}).values():
            student |= weights
    return student
