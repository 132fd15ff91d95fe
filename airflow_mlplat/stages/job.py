"""What a stage is given, and what it gives back."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import JobSpec, Ref
from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.workers import ONE_WORKER, Workers
from airflow_mlplat.store import Samples

if TYPE_CHECKING:
    from airflow_mlplat.data.cache import HostCache
    from airflow_mlplat.stages.trainer import TrainerFactory
    from airflow_mlplat.store import Store
    from airflow_mlplat.store.ranges import ShardReader


@dataclass(frozen=True)
class Job:
    """One run of a stage.

    Args:
        spec: The work.
        store: Where inputs are read from and outputs are put.
        directory: The job's own; checkpoints in it survive retries.
        trainer: Makes the framework's trainer; None for stages without a framework.
        log: Goes to the task's log.
        reader: Reads the store's shards; None reads them as the store does.
        host: What the jobs of this host share; None for nothing.
        workers: Who does it.
    """

    spec: JobSpec
    store: Store
    directory: Path
    trainer: TrainerFactory | None
    log: logging.Logger
    reader: ShardReader | None = None
    host: HostCache | None = None
    workers: Workers = ONE_WORKER

    def samples(self, ref: Ref) -> Samples:
        """The samples of a span or dataset.

        Raises:
            NotFoundError: It is not in the store.
        """
        return Samples(self.store, ref, self.reader)

    def inputs(self, role: str) -> list[Ref]:
        """The references of a role, maybe none."""
        return list(self.spec.inputs.get(role, ()))

    def input(self, role: str) -> Ref:
        """The one reference of a role.

        Raises:
            SpecError: There is none, or more than one.
        """
        refs = self.inputs(role)
        if len(refs) != 1:
            raise SpecError(f"stage {self.spec.stage!r} takes one {role}", expected=1, got=len(refs))
        return refs[0]

    def framework(self) -> TrainerFactory:
        """What makes the framework's trainer.

        Raises:
            SpecError: The spec names no framework.
        """
        if self.trainer is None:
            raise SpecError(f"stage {self.spec.stage!r} needs a framework", got=None, fix="set the spec's framework")
        return self.trainer


@dataclass(frozen=True)
class Outcome:
    """What a stage made.

    Args:
        outputs: Role → reference to what is committed to the store.
        metrics: Plain JSON that follows from the inputs alone.
        stats: Plain JSON that does not, such as seconds.
    """

    outputs: dict[str, Ref]
    metrics: dict[str, Any] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
