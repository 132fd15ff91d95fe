"""Make the dataset version of a partition from the spans it may see."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_mlplat.bridges.partition import window
from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import NotFoundError, SpecError
from airflow_mlplat.hooks.jobs import JobHook
from airflow_mlplat.hooks.partition import resolve_partition
from airflow_mlplat.operators.job import JobOperator
from airflow_mlplat.operators.task import task_errors
from airflow_mlplat.triggers.window import POLL_SECONDS, WindowTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class BuildDatasetOperator(JobOperator):
    """Build the dataset of the days up to the partition: as of that day, whenever it runs.

    Waits until every day of the window has a span, so that days backfilled in any order give the same dataset.
    Returns the dataset's reference.

    Args:
        dataset: Name of the dataset.
        window_days: So many days, the partition the last of them.
        start: No day before this one belongs to the window; default: the DAG's `start_date`. (templated)
        committed_before: See only spans that were committed before this time, ISO 8601 with its zone: the dataset as it
            was then, whatever was restated since. (templated)
        classes: Class names in order; default: those the spans carry.
        max_bad_fraction: Fail when more than this part of the samples cannot be decoded, 0 to 1.
    """

    template_fields = (*JobOperator.template_fields, "start", "committed_before")

    def __init__(
        self,
        *,
        dataset: str,
        window_days: int = 1,
        start: str | None = None,
        committed_before: str | None = None,
        classes: Sequence[str] | None = None,
        max_bad_fraction: float = 0.01,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = dataset
        self.window_days = window_days
        self.start = start
        self.committed_before = committed_before
        self.classes = classes
        self.max_bad_fraction = max_bad_fraction

    def execute(self, context: Context) -> dict[str, Any]:
        """Wait for the window's spans, then build."""
        with task_errors():
            hook = JobHook()
            days = self.days(resolve_partition(context, self.partition))
            missing = hook.missing_spans(self.dataset, days, self.moment())
            if missing and self.committed_before:
                raise NotFoundError(
                    f"{len(missing)} of {len(days)} spans of {self.dataset} did not exist at {self.committed_before}",
                    got=f"none of {', '.join(missing[:5])}",
                    fix="give a later committed_before, or a shorter window",
                )
        if missing:
            self.log.warning(
                "Waiting for %d of %d spans of %s: %s. Bridge these days; execution_timeout= bounds the wait. %s",
                len(missing), len(days), self.dataset, ", ".join(missing[:5]), hook.say_known("span", self.dataset),
            )  # fmt: skip
            if not self.deferrable:
                self._wait_for(days, hook)
                return super().execute(context)
            trigger = WindowTrigger(self.dataset, days)
            # Resumes here: by then the window is whole.
            self.defer(trigger=trigger, method_name="execute_window", timeout=self.execution_timeout)
        return super().execute(context)

    def execute_window(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on once the window is whole."""
        return self.execute(context)

    def _wait_for(self, days: list[str], hook: JobHook) -> None:
        with task_errors():
            while hook.missing_spans(self.dataset, days):
                time.sleep(POLL_SECONDS)

    def days(self, partition: str) -> list[str]:
        """The window's partitions, ascending."""
        first = self.dag.start_date
        # In the DAG's own zone, as partitions are: Airflow keeps the date in UTC.
        start = self.start or (first.astimezone(self.dag.timezone).strftime("%Y-%m-%d") if first else None)
        return window(partition, self.window_days, start)

    def moment(self) -> datetime | None:
        """`committed_before` as a time.

        Raises:
            SpecError: It is no time, or has no zone.
        """
        if not self.committed_before:
            return None
        try:
            moment = datetime.fromisoformat(self.committed_before.replace("Z", "+00:00"))
        except ValueError:
            moment = datetime.min
        if moment.tzinfo is None:
            raise SpecError(
                "committed_before is no time", expected="such as 2026-02-01T00:00:00+00:00", got=self.committed_before
            )
        return moment

    def spec(self, hook: JobHook, partition: str) -> JobSpec:
        """The `dataset` stage over the newest span of each day."""
        days = self.days(partition)
        spans = [row.ref for row in hook.catalog.window(self.dataset, days[0], days[-1], self.moment())]
        classes = list(self.classes) if self.classes is not None else None
        params = {"classes": classes, "max_bad_fraction": self.max_bad_fraction}
        return hook.spec("dataset", self.dataset, where=self.where, params=params, inputs={"spans": spans})
