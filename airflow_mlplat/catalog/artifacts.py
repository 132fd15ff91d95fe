"""Immutable things: spans, datasets, models, predictions, evaluations, decisions; one row a manifest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_mlplat.catalog.session import insert_absent
from airflow_mlplat.catalog.tables import APPEARANCE, ARTIFACT
from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import NotFoundError

MINIMUM_PREFIX = 6
"""Shortest digest prefix that is taken for a name, in hex digits."""

_HEX = re.compile(rf"[0-9a-f]{{{MINIMUM_PREFIX},64}}")


@dataclass(frozen=True)
class ArtifactRow:
    """A recorded artifact.

    Args:
        ref: Its kind, name and digest.
        partition: The partition that it was first made for; empty for none.
        document: Its manifest.
        created_at: When it was first recorded, UTC.
        job_key: The job that made it first; None for spans, which bridges make.
    """

    ref: Ref
    partition: str
    document: dict[str, Any]
    created_at: datetime
    job_key: str | None

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, 64 hex digits."""
        return self.ref.digest

    @property
    def kind(self) -> str:
        """One of `contract.KINDS`."""
        return self.ref.kind

    @property
    def name(self) -> str:
        """The dataset's or model's name."""
        return self.ref.name


def is_prefix(text: str) -> bool:
    """Whether the text can be (the beginning of) a digest."""
    return _HEX.fullmatch(text) is not None


def add(
    connection: sa.Connection,
    things: Iterable[tuple[Ref, dict[str, Any]]],
    partition: str,
    now: datetime,
    *,
    job_key: str | None = None,
) -> None:
    """Record artifacts with their manifests, made for a partition; those recorded already stay as they are.

    That they were made for the partition now is always noted: what was there before may be the newest again.
    """
    things = list(things)
    insert_absent(
        connection,
        ARTIFACT,
        [
            {**ref.to_json(), "partition": partition, "document": document, "created_at": now, "job_key": job_key}
            for ref, document in things
        ],
    )
    seen = [{"digest": ref.digest, "partition": partition, "committed_at": now} for ref, _ in things]
    insert_absent(connection, APPEARANCE, seen)
    for row in seen:
        place = (APPEARANCE.c.digest == row["digest"]) & (APPEARANCE.c.partition == row["partition"])
        connection.execute(sa.update(APPEARANCE).where(place).values(committed_at=now))


def newest(connection: sa.Connection, kind: str, name: str | None, limit: int | None) -> list[ArtifactRow]:
    """Artifacts of a kind, the newest first."""
    query = sa.select(ARTIFACT).where(ARTIFACT.c.kind == kind)
    if name is not None:
        query = query.where(ARTIFACT.c.name == name)
    query = query.order_by(ARTIFACT.c.created_at.desc(), ARTIFACT.c.digest).limit(limit)
    return [_artifact_row(row) for row in connection.execute(query)]


def names(connection: sa.Connection, kind: str) -> list[str]:
    """The names that artifacts of a kind have, in order."""
    query = sa.select(ARTIFACT.c.name).where(ARTIFACT.c.kind == kind).distinct()
    return sorted(connection.execute(query).scalars())


def get(connection: sa.Connection, prefix: str, kind: str | None = None, name: str | None = None) -> ArtifactRow:
    """The one artifact whose digest begins so.

    Raises:
        NotFoundError: None, or more than one, or the prefix is too short.
    """
    rows = starting_with(connection, prefix, kind, name)
    if not rows:
        wanted = " ".join(filter(None, [kind or "artifact", name and repr(name)]))
        raise NotFoundError(
            f"no {wanted} has a digest that begins with {prefix}",
            fix="`airflow mlplat datasets list` and `models list` show them",
        )
    if len(rows) > 1:
        raise NotFoundError(
            f"{prefix} is ambiguous", got=", ".join(str(row.ref) for row in rows), fix="give more digits"
        )
    return rows[0]


def starting_with(
    connection: sa.Connection, prefix: str, kind: str | None = None, name: str | None = None, limit: int = 5
) -> list[ArtifactRow]:
    """Artifacts whose digest begins so.

    Raises:
        NotFoundError: The prefix is not 6 to 64 hex digits.
    """
    if not is_prefix(prefix):
        raise NotFoundError(f"{prefix!r} is no digest", expected=f"{MINIMUM_PREFIX} to 64 hex digits")
    # "g" follows every hex digit: a range, so that the primary key's index serves.
    query = sa.select(ARTIFACT).where(ARTIFACT.c.digest >= prefix, ARTIFACT.c.digest < prefix + "g").limit(limit)
    if kind is not None:
        query = query.where(ARTIFACT.c.kind == kind)
    if name is not None:
        query = query.where(ARTIFACT.c.name == name)
    return [_artifact_row(row) for row in connection.execute(query.order_by(ARTIFACT.c.digest))]


def as_of(connection: sa.Connection, kind: str, name: str, partition: str | None) -> ArtifactRow | None:
    """The artifact of that name made for the latest partition, not later than the given one; the newest of those."""
    query = (
        sa.select(ARTIFACT)
        .join(APPEARANCE, APPEARANCE.c.digest == ARTIFACT.c.digest)
        .where(ARTIFACT.c.kind == kind, ARTIFACT.c.name == name)
        .order_by(APPEARANCE.c.partition.desc(), APPEARANCE.c.committed_at.desc(), ARTIFACT.c.digest)
        .limit(1)
    )
    if partition is not None:
        query = query.where(APPEARANCE.c.partition <= partition)
    row = connection.execute(query).one_or_none()
    return None if row is None else _artifact_row(row)


def partitions(connection: sa.Connection, digest: str) -> list[str]:
    """The partitions that an artifact was made for, in order."""
    query = sa.select(APPEARANCE.c.partition).where(APPEARANCE.c.digest == digest).order_by(APPEARANCE.c.partition)
    return list(connection.execute(query).scalars())


def predictions(connection: sa.Connection, model: str, dataset: str) -> Ref | None:
    """The newest predictions of a model on a dataset.

    Args:
        connection: A reading transaction.
        model: The model's digest.
        dataset: The dataset's digest.
    """
    document = ARTIFACT.c.document
    query = (
        sa.select(ARTIFACT)
        .where(
            ARTIFACT.c.kind == "predictions",
            document["model"].as_string() == model,
            document["dataset"].as_string() == dataset,
        )
        .order_by(ARTIFACT.c.created_at.desc(), ARTIFACT.c.digest)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else _artifact_row(row).ref


def _artifact_row(row: Any) -> ArtifactRow:
    ref = Ref(row.kind, row.name, row.digest)
    return ArtifactRow(ref, row.partition, row.document, row.created_at, row.job_key)
