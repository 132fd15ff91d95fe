"""Run one stage as a job: what all operators below share."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_mlplat.contract import JobResult, JobSpec
from airflow_mlplat.errors import JobDiedError, PlatformError, UserError
from airflow_mlplat.hooks.jobs import JobHook, Where
from airflow_mlplat.hooks.partition import resolve_partition
from airflow_mlplat.launchers import Handle, JobState
from airflow_mlplat.launchers.follow import follow, last_words
from airflow_mlplat.operators.links import ArtifactLink
from airflow_mlplat.operators.task import labels, limits_of, run_info, task_errors
from airflow_mlplat.triggers.job import JobTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context


class JobOperator(BaseOperator):
    """Write a JobSpec, have a launcher run it, record its result.

    A job whose key has a committed result is not run again: that result is returned. Two tasks with the same key
    share one job. A task that lost its worker finds the living job again.

    Args:
        launcher: `process`, `docker` or `kubernetes`. (templated)
        limits: Fields of `Limits`: `memory_bytes`, `timeout_seconds`, `gpu`, …. (templated)
        partition: Overrides what the run says, `2026-01-31`. (templated)
        deferrable: Wait in the triggerer, without a worker's slot.
    """

    template_fields: tuple[str, ...] = ("launcher", "limits", "partition")
    operator_extra_links = (ArtifactLink(),)

    def __init__(
        self,
        *,
        launcher: str = "process",
        limits: Mapping[str, Any] | None = None,
        partition: str | None = None,
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.launcher = launcher
        self.limits = limits
        self.partition = partition
        self.deferrable = deferrable

    @property
    def where(self) -> Where:
        """Where the job shall run, by the operator's arguments."""
        return Where(self.launcher, limits_of(self.limits))

    @abstractmethod
    def spec(self, hook: JobHook, partition: str) -> JobSpec:
        """The work to be done for a partition, told from the catalog and the operator's arguments."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Reuse the job's result, or start the job and wait for it."""
        with task_errors():
            hook = JobHook()
            partition = resolve_partition(context, self.partition)
            spec = self.spec(hook, partition)
            result = hook.store.reusable_result(spec.key)
            if result is not None:
                self.log.info("Reused the result of job %s (%s)", spec.key[:12], spec.stage)
                return self.finish(context, hook, spec, result, partition)
            hook.check(spec)
            launcher = hook.launcher(self.launcher)
            self._handle, self._owner = launcher.handle(spec), labels(context)  # before there is a job to be cancelled
            handle = launcher.submit(spec, self.where.limits, self._owner)
            self.log.info(
                "Job %s (%s) runs in %s. If this task is interrupted it goes on, until none has looked at it for %g s",
                spec.key[:12], spec.stage, handle.directory, hook.settings.orphan_seconds,
            )  # fmt: skip
        if self.deferrable:
            limit = self.execution_timeout
            end_at = None if limit is None else time.time() + limit.total_seconds()
            # Airflow's own timeout would leave the job running: it is only there for a triggerer that hangs.
            timeout = None if limit is None else limit + timedelta(minutes=5)
            trigger = JobTrigger(handle.to_json(), end_at=end_at, owner=self._owner)
            self.defer(trigger=trigger, method_name="execute_complete", timeout=timeout)
        self.wait(hook, handle)
        return self.execute_complete(context, {"handle": handle.to_json()})

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Record the ended job's result, or fail with its own message."""
        with task_errors():
            hook = JobHook()
            handle = Handle.from_json(event["handle"])
            launcher = hook.launcher(handle.launcher)
            # Another task with the same key may have begun the job anew since; what is committed stays. If files of it
            # are gone from the store, the job was for these.
            try:
                result = hook.store.reusable_result(handle.job_key) or hook.commit(launcher, handle)
            except JobDiedError:
                if event.get("late"):
                    raise self._too_late(handle) from None
                other = launcher.cancelled_by(handle)
                if not other or other == labels(context):
                    raise
                self.log.info("Another task that waited for this job had it cancelled: starting it again; %s", other)
                return self.execute(context)
            if result.error is not None:
                kind = UserError if result.error.kind == "user" else PlatformError
                raise kind(f"job {handle.job_key[:12]} ({result.stage}) failed: {result.error.message}")
            partition, spec = resolve_partition(context, self.partition), launcher.spec(handle)
            return self.finish(context, hook, spec, result, partition)

    def _too_late(self, handle: Handle) -> JobDiedError:
        return JobDiedError(
            f"job {handle.job_key[:12]} was ended at the task's execution_timeout of {self.execution_timeout}",
            fix="raise execution_timeout; the next try goes on from the last checkpoint",
        )

    def finish(
        self, context: Context, hook: JobHook, spec: JobSpec, result: JobResult, partition: str
    ) -> dict[str, Any]:
        """Enter the result into the catalog; returns the reference to its one output, as JSON."""
        hook.record(spec, result, run_info(context, partition))
        (ref,) = result.outputs.values()
        return ref.to_json()

    def wait(self, hook: JobHook, handle: Handle) -> None:
        """Follow the job from this worker; ending the task ends the job (`on_kill`)."""
        for state, lines in follow(hook.launcher(handle.launcher), handle):
            for line in lines:
                self.log.info("%s", line)
            if state is JobState.RUNNING:
                time.sleep(0.5)

    def on_kill(self) -> None:
        """Cancel the job this worker waits for."""
        handle: Handle | None = getattr(self, "_handle", None)
        if handle is not None:
            launcher = JobHook().launcher(handle.launcher)
            launcher.cancel(handle, self._owner)
            self.log.warning("%s", last_words(launcher, handle))
