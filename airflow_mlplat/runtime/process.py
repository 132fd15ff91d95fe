"""What a job's process sets up before it works: its log on stdout, and a clean end on SIGTERM."""

from __future__ import annotations

import faulthandler
import logging
import signal
import sys
from typing import Any

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Stopped(SystemExit):
    """SIGTERM came. Unlike the exit that a user's code may ask for, it leaves no result."""


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
