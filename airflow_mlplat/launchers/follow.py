"""Look at a job again and again: its state, and what it logged since the last look; and how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator

from airflow_mlplat.errors import LaunchError, MlplatError
from airflow_mlplat.launchers.base import Handle, JobState, Launcher

PATIENCE_SECONDS = 60.0
"""For how long looks may fail: an engine that is restarted is no reason to give its jobs up."""


def follow(launcher: Launcher, handle: Handle) -> Iterator[tuple[JobState, list[str]]]:
    """One look for each item that is asked for; the last one, with the last of the log, says that it has ended.

    The caller waits between looks. Each look also tells the launcher that somebody still wants the job. However much
    was logged, one look gives no more than one `Launcher.logs` does.

    Raises:
        LaunchError: Looks failed for `PATIENCE_SECONDS`.
    """
    offset, state, failing = 0, JobState.RUNNING, None
    while state is JobState.RUNNING:
        try:
            # The state first: what the job wrote before it ended is then in the log that is read after.
            now = launcher.state(handle)
            text, end = launcher.logs(handle, offset)
            more = now is JobState.ENDED and bool(text) and bool(launcher.logs(handle, end)[0])
        except LaunchError:
            failing = time.monotonic() if failing is None else failing
            if time.monotonic() - failing > PATIENCE_SECONDS:
                raise
            yield JobState.RUNNING, []
            continue
        offset, failing = end, None
        state = JobState.RUNNING if more else now
        yield state, text.splitlines()


def last_words(launcher: Launcher, handle: Handle) -> str:
    """How an ended job ended: its own error, or that of its end with the last lines of its log."""
    try:
        error = launcher.result(handle).error
    except MlplatError as died:
        return str(died)
    return "It had ended well." if error is None else error.message
