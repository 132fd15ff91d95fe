"""The catalog's tables: what the rows are, and nothing about how they are used.

All names start with `mlplat_`, so that the catalog may share a database with Airflow's own tables.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa

HEAD = "0001"
"""The newest revision under `migrations/versions`; kept here so that opening an up-to-date catalog needs no Alembic."""

VERSION_TABLE = "mlplat_version"

METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# Partitions and digests are compared byte by byte: a PostgreSQL database's own collation may ignore punctuation.
Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


class Utc(sa.types.TypeDecorator[datetime]):
    """A moment in UTC: aware in Python, whatever the database keeps."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """To UTC; a naive datetime is taken as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """From the database, which on SQLite forgets the zone."""
        return self.process_bind_param(value, dialect)


def _key(name: str, *, optional: bool = False, **options: Any) -> sa.Column[str]:
    return sa.Column(name, Key, nullable=optional, **options)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON, nullable=False)


def _moment(name: str) -> sa.Column[datetime]:
    return sa.Column(name, Utc, nullable=False)


def _number(name: str, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, **{"nullable": False, **options})


ARTIFACT = sa.Table(
    "mlplat_artifact",
    METADATA,
    _key("digest", primary_key=True),
    _key("kind"),
    _key("name"),
    _key("partition"),
    _json("document"),
    _moment("created_at"),
    _key("job_key", optional=True),
    sa.Index(None, "kind", "name"),
)
"""Immutable things: one row a manifest."""

APPEARANCE = sa.Table(
    "mlplat_appearance",
    METADATA,
    _key("digest", primary_key=True),
    _key("partition", primary_key=True),
    _moment("committed_at"),
)
"""The partitions that an artifact was made for: equal inputs on two days make one artifact, visible from both."""

JOB = sa.Table(
    "mlplat_job",
    METADATA,
    _key("key", primary_key=True),
    _key("stage"),
    _key("name"),
    _json("spec"),
    _json("result"),
    _json("run"),
    _moment("created_at"),
)
"""One run of one stage on one spec, with the task that had it done first."""

SPAN = sa.Table(
    "mlplat_span",
    METADATA,
    _number("id", primary_key=True, autoincrement=True),
    _key("dataset"),
    _key("partition"),
    _key("digest"),
    _json("watermark"),
    _key("fingerprint", optional=True),
    _key("source"),
    _key("restates", optional=True),
    _json("run"),
    _moment("committed_at"),
    sa.Index(None, "dataset", "partition"),
)
"""Commits of spans, append-only: the newest row of a (dataset, partition) is the current one."""

SOURCE = sa.Table("mlplat_source", METADATA, _key("digest", primary_key=True), _json("document"))
"""Descriptions of where records came from."""

ALIAS = sa.Table(
    "mlplat_alias",
    METADATA,
    _key("name", primary_key=True),
    _key("alias", primary_key=True),
    _key("digest"),
    _key("partition"),
    _number("version"),
    _moment("moved_at"),
    _key("decision"),
)
"""The only rows that change: where an alias points."""

ALIAS_HISTORY = sa.Table(
    "mlplat_alias_history",
    METADATA,
    _key("name", primary_key=True),
    _key("alias", primary_key=True),
    _number("version", primary_key=True, autoincrement=False),
    _key("digest"),
    _key("partition"),
    _moment("moved_at"),
    _key("decision"),
    _number("restores", nullable=True),
)
"""Every place an alias ever pointed; `restores` is the version that a rollback went back to."""

DECISION = sa.Table(
    "mlplat_decision",
    METADATA,
    _number("id", primary_key=True, autoincrement=True),
    _key("key", unique=True),
    _key("node"),
    _key("name"),
    _key("alias"),
    _key("outcome"),
    sa.Column("reason", sa.Text, nullable=False),
    _key("partition"),
    _key("challenger", optional=True),
    _key("champion", optional=True),
    _key("holdout", optional=True),
    _number("challengers"),
    _key("comparison", optional=True),
    _json("document"),
    _json("run"),
    _moment("decided_at"),
    sa.Index(None, "name"),
    sa.Index(None, "node"),
    sa.Index(None, "comparison"),
)
"""Outcomes of gates and of rollbacks."""

LINEAGE = sa.Table(
    "mlplat_lineage",
    METADATA,
    _key("child", primary_key=True),
    _key("parent", primary_key=True),
    _key("role", primary_key=True),
    sa.Index(None, "parent"),
)
"""Edges `child` was made from `parent`; nodes are strings `kind:identity`."""
