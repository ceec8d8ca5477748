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


class _Signals:
    """Those that come while the main thread waits in a programme that reads the table of a number."""

    def __init__(self, number: int) -> None:
        self.number, self.seen = number, b""
        self._read, write = os.pipe()
        for end in (self._read, write):
            os.set_blocking(end, False)
        self._write, self._before = write, signal.set_wakeup_fd(write, warn_on_full_buffer=False)

    def interrupt(self) -> bool:
        """Whether one of them is that of Ctrl-C."""
        with contextlib.suppress(OSError):  # nothing to read, or nothing to read from any more
            self.seen += os.read(self._read, 64)
        return signal.SIGINT in self.seen

    def close(self) -> None:
        """Hand them on to who waits for signals otherwise."""
        self.interrupt()
        signal.set_wakeup_fd(self._before)
        if self._before >= 0 and self.seen:
            with contextlib.suppress(OSError):  # it is full, or closed
                os.write(self._before, self.seen)
        os.close(self._read)
        os.close(self._write)


class _Watch:
    """What has happened to the reads of the programmes that run now: failures by table, signals in the main thread."""

    def __init__(self) -> None:
        self.failures: dict[int, tuple[BaseException, str]] = {}
        self.signals: _Signals | None = None


_watch = _Watch()


@contextlib.contextmanager
def reading(number: int, rows: str) -> Iterator[None]:
    """Around the host's reading of some rows of the table of a number: what fails is kept for `watched`."""
    try:
        signals = _watch.signals
        if signals is not None and signals.number == number and signals.interrupt():
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
        with _heard(number):
            yield
    except Exception:
        if number not in _watch.failures:
            raise
        cause, rows = _watch.failures.pop(number)
        if not isinstance(cause, Exception):
            raise cause from None
        raise OSError(f"A stored table could not be read, {rows} of it: {str(cause) or repr(cause)}") from cause


@contextlib.contextmanager
def _heard(number: int) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread() or _watch.signals is not None:
        yield
        return
    signals = _watch.signals = _Signals(number)
    try:
        yield
    finally:
        _watch.signals = None
        signals.close()
