"""Wait for a job without holding a worker's slot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_mlplat.hooks.jobs import JobHook
from airflow_mlplat.launchers import Handle, JobState
from airflow_mlplat.launchers.follow import follow, last_words


class JobTrigger(BaseTrigger):
    """Fire when a job has ended; meanwhile its log lines go to the task's log.

    Args:
        handle: `Handle.to_json()` of the job.
        poll_seconds: Between two looks at the job, in seconds.
        end_at: When to end the job, in seconds since 1970: Airflow's own timeout of a deferred task leaves it running.
        owner: Labels of the task that waits: others may wait for the same job.
    """

    def __init__(
        self,
        handle: dict[str, Any],
        poll_seconds: float = 0.5,
        end_at: float | None = None,
        owner: dict[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.handle = handle
        self.poll_seconds = poll_seconds
        self.end_at = end_at
        self.owner = owner

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, from which the triggerer builds this trigger again."""
        path = f"{type(self).__module__}.{type(self).__name__}"
        names = ("handle", "poll_seconds", "end_at", "owner")
        return path, {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event with the handle once the job is no longer running, and whether its time was over."""
        handle = Handle.from_json(self.handle)
        launcher = JobHook().launcher(handle.launcher)
        looks, state, late = follow(launcher, handle), JobState.RUNNING, False
        while state is JobState.RUNNING:
            state, lines = await asyncio.to_thread(next, looks)
            for line in lines:
                self.log.info("%s", line)
            if state is JobState.RUNNING and not late and self.end_at is not None and time.time() > self.end_at:
                late = True
                await asyncio.to_thread(launcher.cancel, handle, self.owner)
            elif state is JobState.RUNNING:
                await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent({"handle": self.handle, "late": late})

    async def on_kill(self) -> None:
        """End the job when its task is marked failed or cleared, or its run is deleted, and log how it ended.

        The triggerer cancels again with each of its rounds, about a second, until this is done; to end a container
        takes longer.
        """
        ending = asyncio.ensure_future(asyncio.to_thread(self._end))
        while not ending.done():
            with suppress(asyncio.CancelledError):
                await asyncio.shield(ending)
        self.log.warning("%s", ending.result())

    def _end(self) -> str:
        """End the job; returns how it ended."""
        handle = Handle.from_json(self.handle)
        launcher = JobHook().launcher(handle.launcher)
        launcher.cancel(handle, self.owner)
        return last_words(launcher, handle)
