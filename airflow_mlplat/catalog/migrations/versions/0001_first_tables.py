"""The first tables.

A migration never changes once released, so it repeats the types instead of importing today's.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply."""
    _artifacts()
    _spans()
    _decisions()


def _artifacts() -> None:
    op.create_table(
        "mlplat_appearance",
        sa.Column("digest", KEY, nullable=False),
        sa.Column("partition", KEY, nullable=False),
        sa.Column("committed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("digest", "partition", name="pk_mlplat_appearance"),
    )
    op.create_table(
        "mlplat_artifact",
        sa.Column("digest", KEY, nullable=False),
        sa.Column("kind", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("partition", KEY, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("job_key", KEY, nullable=True),
        sa.PrimaryKeyConstraint("digest", name="pk_mlplat_artifact"),
    )
    op.create_index("ix_mlplat_artifact_kind_name", "mlplat_artifact", ["kind", "name"], unique=False)
    op.create_table(
        "mlplat_job",
        sa.Column("key", KEY, nullable=False),
        sa.Column("stage", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("run", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_mlplat_job"),
    )
    op.create_table(
        "mlplat_lineage",
        sa.Column("child", KEY, nullable=False),
        sa.Column("parent", KEY, nullable=False),
        sa.Column("role", KEY, nullable=False),
        sa.PrimaryKeyConstraint("child", "parent", "role", name="pk_mlplat_lineage"),
    )
    op.create_index("ix_mlplat_lineage_parent", "mlplat_lineage", ["parent"], unique=False)


def _spans() -> None:
    op.create_table(
        "mlplat_source",
        sa.Column("digest", KEY, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_mlplat_source"),
    )
    op.create_table(
        "mlplat_span",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("dataset", KEY, nullable=False),
        sa.Column("partition", KEY, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("watermark", sa.JSON(), nullable=False),
        sa.Column("fingerprint", KEY, nullable=True),
        sa.Column("source", KEY, nullable=False),
        sa.Column("restates", KEY, nullable=True),
        sa.Column("run", sa.JSON(), nullable=False),
        sa.Column("committed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mlplat_span"),
    )
    op.create_index("ix_mlplat_span_dataset_partition", "mlplat_span", ["dataset", "partition"], unique=False)


def _decisions() -> None:
    op.create_table(
        "mlplat_alias",
        sa.Column("name", KEY, nullable=False),
        sa.Column("alias", KEY, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("partition", KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("moved_at", MOMENT, nullable=False),
        sa.Column("decision", KEY, nullable=False),
        sa.PrimaryKeyConstraint("name", "alias", name="pk_mlplat_alias"),
    )
    op.create_table(
        "mlplat_alias_history",
        sa.Column("name", KEY, nullable=False),
        sa.Column("alias", KEY, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", KEY, nullable=False),
        sa.Column("partition", KEY, nullable=False),
        sa.Column("moved_at", MOMENT, nullable=False),
        sa.Column("decision", KEY, nullable=False),
        sa.Column("restores", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("name", "alias", "version", name="pk_mlplat_alias_history"),
    )
    op.create_table(
        "mlplat_decision",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("node", KEY, nullable=False),
        sa.Column("name", KEY, nullable=False),
        sa.Column("alias", KEY, nullable=False),
        sa.Column("outcome", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("partition", KEY, nullable=False),
        sa.Column("challenger", KEY, nullable=True),
        sa.Column("champion", KEY, nullable=True),
        sa.Column("holdout", KEY, nullable=True),
        sa.Column("challengers", sa.Integer(), nullable=False),
        sa.Column("comparison", KEY, nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("run", sa.JSON(), nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_mlplat_decision"),
        sa.UniqueConstraint("key", name="uq_mlplat_decision_key"),
    )
    op.create_index("ix_mlplat_decision_name", "mlplat_decision", ["name"], unique=False)
    op.create_index("ix_mlplat_decision_comparison", "mlplat_decision", ["comparison"], unique=False)
    op.create_index("ix_mlplat_decision_node", "mlplat_decision", ["node"], unique=False)
