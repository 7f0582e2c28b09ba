"""What of an expression a model cannot read, said before it answers all the same."""
from collections.abc import Callable, Iterable, Sequence

from mmduet.io.notices import say_once

_MOST = 8  # words that are named


def find_unknown_words(rows: Iterable[Sequence[str]], unknown: Callable[[str], list[str]]) -> dict[str, tuple[str, ...]]:
    """Unknown words of each expression that has some; they are named on standard error, once in a process.

    Args:
        rows: expressions, those of an image in a row.
        unknown: gives the words of an expression that the model's vocabulary does not hold.
    """
    found = {text: tuple(words) for text in dict.fromkeys(text for row in rows for text in row) if (words := unknown(text))}
    if found:
        words = list(dict.fromkeys(word for some in found.values() for word in some))
        named = ', '.join(map(repr, words[:_MOST])) + (f' and {len(words) - _MOST} more' if len(words) > _MOST else '')
        say_once(f'warning: the vocabulary of this model does not hold {named}: it reads each as the same unknown word, and '
                 'answers all the same')
    return found
