"""While a compiled programme reads a stored table: a failure is said in a sentence, and Ctrl-C is heard.

The programme calls the host from a thread of its own, while Python's main thread waits in it and hears no signal. So
each read looks whether one has come, in the pipe that Python writes them to; and what a read raises, which comes out of
the programme as a text among others, is kept.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator


class _Watch:
    """What has happened to the reads of the programmes that run now, in any thread."""

    def __init__(self) -> None:
        self.failures: dict[int, tuple[BaseException, str]] = {}
        self.signals: int | None = None


_watch = _Watch()


@contextlib.contextmanager
def reading(number: int, rows: str) -> Iterator[None]:
    """Around the host's reading of some rows of the table of a number: what fails is kept for `watched`."""
    try:
        if _interrupted():
            raise KeyboardInterrupt
        yield
    except BaseException as error:
        _watch.failures.setdefault(number, (error, rows))
        raise


@contextlib.contextmanager
def watched(number: int) -> Iterator[None]:
    """Around what reads the table of a number: raises what a read has raised, with a sentence that says where."""
    _watch.failures.pop(number, None)
    try:
        with _heard():
            yield
    except Exception:
        if number not in _watch.failures:
            raise
        cause, rows = _watch.failures.pop(number)
        if not isinstance(cause, Exception):
            raise cause from None
        raise OSError(f"A stored table could not be read, {rows} of it: {str(cause) or repr(cause)}") from cause


@contextlib.contextmanager
def _heard() -> Iterator[None]:
    """Signals are written to a pipe, of which a read in any thread knows."""
    if threading.current_thread() is not threading.main_thread() or _watch.signals is not None:
        yield
        return
    _watch.signals, write = os.pipe()
    for end in (_watch.signals, write):
        os.set_blocking(end, False)
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        read, _watch.signals = _watch.signals, None
        os.close(read)
        os.close(write)


def _interrupted() -> bool:
    if _watch.signals is None:
        return False
    try:
        return signal.SIGINT in os.read(_watch.signals, 64)
    except BlockingIOError:
        return False
