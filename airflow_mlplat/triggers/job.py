"""Wait for a job without holding a worker's slot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_mlplat.hooks.jobs import JobHook
from airflow_mlplat.launchers import Handle, JobState
from airflow_mlplat.launchers.follow import follow


class JobTrigger(BaseTrigger):
    """Fire when a job has ended; meanwhile its log lines go to the task's log.

    Args:
        handle: `Handle.to_json()` of the job.
        poll_seconds: Between two looks at the job, in seconds.
    """

    def __init__(self, handle: dict[str, Any], poll_seconds: float = 0.5) -> None:
        super().__init__()
        self.handle = handle
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, from which the triggerer builds this trigger again."""
        path = f"{type(self).__module__}.{type(self).__name__}"
        return path, {"handle": self.handle, "poll_seconds": self.poll_seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event with the handle once the job is no longer running."""
        handle = Handle.from_json(self.handle)
        looks = follow(JobHook().launcher(handle.launcher), handle)
        state = JobState.RUNNING
        while state is JobState.RUNNING:
            state, lines = await asyncio.to_thread(next, looks)
            for line in lines:
                self.log.info("%s", line)
            if state is JobState.RUNNING:
                await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent({"handle": self.handle})

    async def on_kill(self) -> None:
        """Cancel the job when its task is marked failed or cleared."""
        handle = Handle.from_json(self.handle)
        await asyncio.to_thread(JobHook().launcher(handle.launcher).cancel, handle)
