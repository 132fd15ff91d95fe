"""What a job's process sets up before it works: its log on stdout, and a clean end on SIGTERM."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from typing import Any, NoReturn

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
GRACE_SECONDS = 1.0
"""From SIGTERM to an end by force; launchers send SIGKILL two seconds after it."""


class Stopped(BaseException):
    """SIGTERM came: the job ends without a result.

    No `SystemExit`, which a user's code may raise and which is then its mistake.

    Args:
        code: To exit with.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def prepare() -> None:
    """Log to stdout line by line, show where native code crashes, end on SIGTERM as on an exception."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format=LOG_FORMAT, force=True)
    logging.captureWarnings(True)
    faulthandler.enable()
    signal.signal(signal.SIGTERM, stop)


def stop(number: int, frame: Any) -> None:
    """Leave through every `finally`, once; what is half done is not committed."""
    signal.signal(number, signal.SIG_IGN)
    logging.getLogger("airflow_mlplat").warning("Stopped by %s", signal.Signals(number).name)
    raise Stopped(128 + number)  # the code by which shells say it


def insist_on_sigterm() -> None:
    """End by SIGTERM even if the main thread waits for another worker: in native code, where `stop` is not called."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)  # is written to when a signal comes, by whichever thread it interrupts
    threading.Thread(target=_end_by_force, args=(reader,), daemon=True, name="mlplat-sigterm").start()


def _end_by_force(signals: int) -> None:
    while os.read(signals, 1) != bytes([signal.SIGTERM]):
        pass
    time.sleep(GRACE_SECONDS)
    exit_now(128 + signal.SIGTERM)


def exit_now(code: int) -> NoReturn:
    """End without what libraries do at the end of a process: a framework would wait for the other workers there."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def stopping() -> bool:
    """Whether `stop` was called, even if what it raised was lost in someone's `finally` or `except`."""
    return signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
