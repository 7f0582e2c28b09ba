"""The student of a distilled checkpoint, with what its score needs of the distillation head."""
import re
from collections.abc import Mapping

from torch import Tensor

# Keys of the distillation head whose weights an ``AgreementScoreHead`` takes, and their places in it.
_TAKEN = ((r'head\.spaces\.([^.]+)\.projectors\.text\.', 'anchors.text.'),
          (r'head\.spaces\.([^.]+)\.projectors\.region\.', 'regions.text.'),
          (r'head\.terms\.([^.]+)\.anchor\.projector\.', 'anchors.query.'),
          (r'head\.terms\.([^.]+)\.projector\.(?=layers)', 'regions.query.'),
          (r'head\.terms\.([^.]+)\.anchor\.(?=layers)', 'anchors.placed.'),
          (r'head\.terms\.([^.]+)\.regions\.', 'regions.placed.'))


def publish_student(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State dict of the student, ``score_head.*`` included; a state dict of a plain student is returned as it is.

    Of several teachers, and of several terms, the first counts that has both halves of a space: expressions and regions.
    """
    student = {key.removeprefix('student.'): value for key, value in state.items() if key.startswith('student.')}
    if not student or any(key.startswith('score_head.') for key in student):
        return student or dict(state)
    taken: dict[str, dict[str, dict[str, Tensor]]] = {name: {} for name in ('text', 'query', 'placed')}
    for key, value in state.items():
        for pattern, place in _TAKEN:
            if found := re.match(pattern, key):
                half, name, _ = place.split('.')
                owned = taken[name].setdefault(found[1], {})
                owned[f'score_head.{half}.{name}.{key[found.end():]}'] = value
    for owners in taken.values():
        student |= next((owned for owned in owners.values() if len({key.split('.')[1] for key in owned}) == 2), {})
    return student
