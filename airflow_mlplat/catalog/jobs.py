"""Jobs that are done: what they were, what they made, who had them done."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_mlplat.catalog import artifacts, lineage
from airflow_mlplat.catalog.session import insert_absent
from airflow_mlplat.catalog.tables import JOB
from airflow_mlplat.contract import JobResult, JobSpec
from airflow_mlplat.errors import NotFoundError, SpecError


@dataclass(frozen=True)
class RunInfo:
    """Who did it: a task instance.

    Args:
        dag_id: The DAG.
        run_id: Its run.
        task_id: The task.
        map_index: Which of a mapped task's instances; -1 for a task that is not mapped.
        partition: The partition that it ran for, `2026-01-31`; empty for work of no partition.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    partition: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.partition, str):
            raise SpecError(
                "a run's partition is not text", expected="a key such as 2026-01-31", got=repr(self.partition)
            )

    def to_json(self) -> dict[str, Any]:
        """As a plain dict."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class JobRow:
    """A recorded job.

    Args:
        spec: What was asked.
        result: What came of it.
        run: The task instance that had it done first.
        created_at: When it was recorded, UTC.
    """

    spec: JobSpec
    result: JobResult
    run: RunInfo
    created_at: datetime

    @property
    def key(self) -> str:
        """`JobSpec.key`."""
        return self.result.job_key


def record(
    connection: sa.Connection,
    spec: JobSpec,
    result: JobResult,
    documents: Mapping[str, dict[str, Any]],
    *,
    run: RunInfo,
    now: datetime,
) -> None:
    """Record a job, its outputs and its lineage; what is recorded already stays as it is.

    Raises:
        SpecError: The result is another job's, has an error, or an output's manifest is not among the documents.
    """
    _check(spec, result, documents)
    row = {
        "key": spec.key, "stage": spec.stage, "name": spec.name, "spec": spec.to_json(), "result": result.to_json(),
        "run": run.to_json(), "created_at": now,
    }  # fmt: skip
    insert_absent(connection, JOB, [row])
    outputs = [(ref, documents[ref.digest]) for ref in _unique(result.outputs.values())]
    artifacts.add(connection, outputs, run.partition, now, job_key=spec.key)
    lineage.add(connection, _edges(spec, result))


def get(connection: sa.Connection, key: str) -> JobRow:
    """One job.

    Raises:
        NotFoundError: No job of that key is recorded.
    """
    row = connection.execute(sa.select(JOB).where(JOB.c.key == key)).one_or_none()
    if row is None:
        raise NotFoundError(f"no job {key} is recorded", fix="jobs are recorded when they succeed")
    return _job_row(row)


def newest(connection: sa.Connection, stage: str | None, name: str | None, limit: int | None) -> list[JobRow]:
    """The newest jobs first."""
    query = sa.select(JOB).order_by(JOB.c.created_at.desc(), JOB.c.key).limit(limit)
    for column, wanted in ((JOB.c.stage, stage), (JOB.c.name, name)):
        if wanted is not None:
            query = query.where(column == wanted)
    return [_job_row(row) for row in connection.execute(query)]


def _job_row(row: Any) -> JobRow:
    return JobRow(JobSpec.from_json(row.spec), JobResult.from_json(row.result), RunInfo(**row.run), row.created_at)


def _check(spec: JobSpec, result: JobResult, documents: Mapping[str, Any]) -> None:
    if result.job_key != spec.key:
        raise SpecError("the result belongs to another job", expected=spec.key, got=result.job_key)
    if result.error is not None:
        raise SpecError(f"a failed {spec.stage} job cannot be recorded", got=result.error.message)
    missing = [str(ref) for ref in result.outputs.values() if ref.digest not in documents]
    if missing:
        raise SpecError(
            f"manifests of the {spec.stage} job's outputs are missing", expected="one for each output", got=missing
        )


def _unique(refs: Any) -> list[Any]:
    return list({ref.digest: ref for ref in refs}.values())


def _edges(spec: JobSpec, result: JobResult) -> list[lineage.Edge]:
    job = lineage.node("job", spec.key)
    edges = [(lineage.node(ref.kind, ref.digest), job, role) for role, ref in result.outputs.items()]
    edges += [(job, lineage.node(ref.kind, ref.digest), role) for role, refs in spec.inputs.items() for ref in refs]
    edges += [(job, lineage.node("file", sha256), name) for name, sha256 in spec.files.items()]
    edges.append((job, lineage.node("code", spec.code_version), "code"))
    return edges
