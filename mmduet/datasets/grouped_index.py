"""The index of an expression that is drawn together with others about its image."""
from typing import Any


class GroupedIndex(int):
    """An index that knows the group it is drawn in.

    It is a number like any other to samplers and loaders; a ``GroundingDataset`` gives all expressions of a group one view of
    their image, also where a batch ends in the middle of a group.

    Args:
        index: of the expression.
        group: indices of all that are drawn together, ``index`` among them.
    """

    group: tuple[int, ...]

    def __new__(cls, index: int, group: tuple[int, ...]) -> 'GroupedIndex':
        """Make a number, which cannot be changed, with its group."""
        made = super().__new__(cls, index)
        made.group = group
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return GroupedIndex, (int(self), self.group)


def group_of(index: int) -> tuple[int, ...]:
    """The group of an index; of a plain one, itself alone."""
    return index.group if isinstance(index, GroupedIndex) else (index, )
