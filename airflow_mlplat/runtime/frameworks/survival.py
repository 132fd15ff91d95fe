"""Work that may end its process: Caffe aborts where it finds a mistake in a net."""

from __future__ import annotations

import faulthandler
import os
import resource
import tempfile
from typing import Any, Callable

from airflow_mlplat.errors import BuildError


def check_survival(work: Callable[[], Any], doing: str) -> None:
    """Do something in a forked process, to see whether that lives on. What it raises does not count.

    Args:
        work: What is done; its result is lost.
        doing: What runs, for the error.

    Raises:
        BuildError: It ended its process; with what it said last.
    """
    with tempfile.TemporaryFile() as said:
        pid = os.fork()
        if not pid:
            try:
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                faulthandler.disable()
                os.dup2(said.fileno(), 2)
                work()
            finally:
                os._exit(0)
        _, status = os.waitpid(pid, 0)
        if status:
            said.seek(0)
            raise BuildError(f"{doing} ended Caffe", got=_last_words(said.read().decode(errors="replace")))


def _last_words(text: str) -> str:
    """What glog's last fatal line says, without its time and place in Caffe."""
    fatal = [line.partition("] ")[2] for line in text.splitlines() if line.startswith("F") and "] " in line]
    return fatal[-1] if fatal else text.strip()[-500:] or "no word"
