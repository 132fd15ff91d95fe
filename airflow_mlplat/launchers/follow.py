"""Look at a job again and again: its state, and what it logged since the last look; and how it ended."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlplat.errors import MlplatError
from airflow_mlplat.launchers.base import Handle, JobState, Launcher


def follow(launcher: Launcher, handle: Handle) -> Iterator[tuple[JobState, list[str]]]:
    """One look for each item that is asked for; the last one, with all the rest of the log, says that it has ended.

    The caller waits between looks. Each look also tells the launcher that somebody still wants the job.
    """
    offset, state = 0, JobState.RUNNING
    while state is JobState.RUNNING:
        # The state first: what the job wrote before it ended is then in the log that is read after.
        state = launcher.state(handle)
        lines: list[str] = []
        text, offset = launcher.logs(handle, offset)
        while text:
            lines += text.splitlines()
            text, offset = launcher.logs(handle, offset)
        yield state, lines


def last_words(launcher: Launcher, handle: Handle) -> str:
    """How an ended job ended: its own error, or that of its end with the last lines of its log."""
    try:
        error = launcher.result(handle).error
    except MlplatError as died:
        return str(died)
    return "It had ended well." if error is None else error.message
