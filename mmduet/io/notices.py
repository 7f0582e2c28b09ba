"""What everybody must know who uses a model, said when it is loaded or asked."""
import sys
from functools import cache

_LONGEST = 1000  # letters


@cache
def say_once(notice: str) -> None:
    """Write a notice to standard error, once in a process; nothing where there is nothing to say."""
    if notice:
        # It comes from anywhere, and a terminal obeys more than letters.
        sys.stderr.write(''.join(letter for letter in notice[:_LONGEST] if letter.isprintable()) + '\n')
