"""Wait until a source holds all of a partition."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import Asset, BaseSensorOperator
from airflow.sdk.bases.sensor import PokeReturnValue
from airflow.sdk.exceptions import AirflowSensorTimeout

from airflow_mlplat.bridges import Source
from airflow_mlplat.bridges.completeness import Completeness
from airflow_mlplat.errors import SpecError
from airflow_mlplat.hooks.partition import resolve_partition
from airflow_mlplat.hooks.sources import source_client
from airflow_mlplat.operators.task import task_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class SqlPartitionSensor(BaseSensorOperator):
    """Succeed once the source says that the partition is complete.

    Between two looks the task is deferred: it holds no worker's slot. The look itself runs in a worker, because
    that is where connections may be read and where a slow query harms nobody. Each asset of `outlets` then has an
    event of the partition, from which a `PartitionedAssetTimetable` starts a run.

    Args:
        source: What the bridge will read.
        complete: The rule: `RowCount`, `MaxWatermark` or `DoneFlag`.
        partition: Overrides what the run says, `2026-01-31`. (templated)
        deferrable: Defer between looks; otherwise sleep or reschedule as `mode` says, with or without
            `exponential_backoff` and `silent_fail`.
    """

    template_fields = ("partition",)

    def __init__(
        self,
        *,
        source: Source,
        complete: Completeness,
        partition: str | None = None,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name in ("exponential_backoff", "silent_fail"):
            if deferrable and getattr(self, name):
                raise SpecError(f"a deferred sensor has no {name}", fix="set deferrable=False and mode='reschedule'")
        self.source = source
        self.complete = complete
        self.partition = partition
        self.deferrable = deferrable

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask the source once."""
        with task_errors():
            partition = resolve_partition(context, self.partition)
            done, reason = self.complete.is_complete(source_client(self.source), self.source, partition)
        self.log.info("Partition %s is %s: %s", partition, "complete" if done else "not complete yet", reason)
        if done:
            for asset in self.outlets:
                if isinstance(asset, Asset):  # an alias has no partitions
                    context["outlet_events"][asset].add_partitions(partition)
        return PokeReturnValue(is_done=done)

    def execute(self, context: Context) -> Any:
        """Look; when it is too early, come back after `poke_interval`, until `timeout` has passed."""
        if not self.deferrable:
            return super().execute(context)
        deadline = datetime.now(timezone.utc) + timedelta(seconds=self.timeout)
        # As after a deferral, where Airflow minds `soft_fail` and `never_fail`.
        return self.resume_execution("look", {"deadline": deadline}, context)

    def execute_complete(self, context: Context, event: Any, deadline: str | None = None) -> Any:
        """Look again. Airflow counts a deferral's own timeout from that deferral on, so the deadline is handed on."""
        return self.look(context, datetime.fromisoformat(deadline)) if deadline else self.execute(context)

    def look(self, context: Context, deadline: datetime) -> None:
        """Return when the partition is complete, defer while it is not, fail past the deadline."""
        if self.poke(context).is_done:
            return
        if datetime.now(timezone.utc) >= deadline:
            raise AirflowSensorTimeout(f"the partition was not complete within {self.timeout:.0f} s")
        self.defer(
            trigger=TimeDeltaTrigger(timedelta(seconds=self.poke_interval)),
            method_name="execute_complete",
            kwargs={"deadline": deadline.isoformat()},
        )
