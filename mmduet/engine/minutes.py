"""Minutes that are over on every rank at the same step, though each has a clock of its own."""
import math
import time
from collections.abc import Callable

from mmengine.dist import all_gather_object

# The first steps are slower than the others; by so many after them the speed is told first.
FIRST_STEPS, TIMED_STEPS = 2, 8
ASKED = 10  # times that the first rank is asked within the minutes, so that they end in time though steps become slower


class Minutes:
    """Counts steps between two looks at the first rank's clock, which says whether the time is over and when to look again.

    The speed is that of the steps since the last look: where they become so many times as long, the time is over late by a
    tenth of the minutes for each, once.

    Args:
        minutes: how long.
        clock: seconds of this process.
    """

    def __init__(self, minutes: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = 60 * minutes, clock
        self._steps, self._asked, self._next = 0, 0, FIRST_STEPS
        self._asked_at = self._began = clock()

    def restart(self) -> None:
        """Begin the minutes anew."""
        self._began = self._clock()

    def are_over(self) -> bool:
        """Whether they are over since the last ``restart``; every rank must call it once a step."""
        self._steps += 1
        if self._steps < self._next:
            return False
        if self._steps == FIRST_STEPS:
            self._asked_at, self._asked, self._next = self._clock(), self._steps, FIRST_STEPS + TIMED_STEPS
            return False
        now = self._clock()
        passed, step = now - self._began, max(now - self._asked_at, 1e-6) / (self._steps - self._asked)
        over = passed >= self._seconds
        ahead = min(self._seconds / ASKED, self._seconds if over else self._seconds - passed)
        over, steps = all_gather_object((over, max(math.ceil(ahead / step), 1)))[0]
        self._asked_at, self._asked, self._next = now, self._steps, self._steps + steps
        return bool(over)
