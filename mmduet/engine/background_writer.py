"""Writing beside the training: files are written in a thread, in order, and a failure reaches the training."""
import threading
from collections.abc import Callable

from mmengine.dist import all_gather_object
from mmengine.logging import print_log

from mmduet.engine.checkpoint import CheckpointError

PATIENCE = 60.0  # seconds for a file at the end of a process that cannot go on


class BackgroundWriter:
    """Does one job at a time, in a thread; a job waits for the one before, so that memory holds one more checkpoint at most.

    Attributes:
        failed: whether a job raised. Those after it are not done; ``settle`` raises it.
    """

    def __init__(self) -> None:
        self.failed = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def submit(self, job: Callable[[], None]) -> None:
        """Do a job when the one before is done."""
        self.wait()
        if not self.failed:
            thread = threading.Thread(target=self._do, args=(job, ), name='checkpoints')
            thread.start()
            self._thread = thread  # now: one that has not begun cannot be waited for

    def wait(self) -> None:
        """Wait for the last job."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def finish(self) -> None:
        """Wait for the last job, from another thread than that which submits, a minute at most: before the process is ended.

        A file that is not finished then is left half written under a name of its own, which the next training removes.
        """
        thread = self._thread
        if thread is not None:
            thread.join(PATIENCE)

    def settle(self) -> None:
        """Wait for the last job of every rank, and raise on all of them what failed on one; every rank must call it.

        Raises:
            CheckpointError: a checkpoint could not be written.
        """
        self.wait()
        error, self._error, self.failed = self._error, None, False
        failures = [text for text in all_gather_object(None if error is None else str(error)) if text is not None]
        if error is not None:
            raise error
        if failures:
            raise CheckpointError(f'another process: {failures[0]}')

    def close(self) -> None:
        """Wait for the last job, when something else ends the training; a failure is only told."""
        self.wait()
        if self._error is not None:
            print_log(f'{self._error}', logger='current', level=40)

    def _do(self, job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # also an error of the code must not end in a thread that nobody asks
            self._error, self.failed = error, True
