"""Wait until every partition of a window has been bridged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_mlplat.hooks.jobs import JobHook

POLL_SECONDS = 2.0


class WindowTrigger(BaseTrigger):
    """Fire when the catalog has a span for each partition.

    Args:
        dataset: Name of the dataset.
        partitions: Days, ascending.
        poll_seconds: Between two looks at the catalog, in seconds.
    """

    def __init__(self, dataset: str, partitions: list[str], poll_seconds: float = POLL_SECONDS) -> None:
        super().__init__()
        self.dataset, self.partitions, self.poll_seconds = dataset, partitions, poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, from which the triggerer builds this trigger again."""
        path = f"{type(self).__module__}.{type(self).__name__}"
        return path, {"dataset": self.dataset, "partitions": self.partitions, "poll_seconds": self.poll_seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event once nothing is missing."""
        hook = JobHook()
        told: list[str] = []
        while missing := await asyncio.to_thread(hook.missing_spans, self.dataset, self.partitions):
            if missing != told:
                self.log.info("Waiting for %d spans of %s: %s", len(missing), self.dataset, ", ".join(missing[:5]))
                told = missing
            await asyncio.sleep(self.poll_seconds)
        yield TriggerEvent({"dataset": self.dataset})
