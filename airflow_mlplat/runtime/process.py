"""What a job's process sets up before it works: its log on stdout, and a clean end on SIGTERM."""

from __future__ import annotations

import faulthandler
import logging
import signal
import sys
from typing import Any

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


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


def stopping() -> bool:
    """Whether `stop` was called, even if what it raised was lost in someone's `finally` or `except`."""
    return signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
