"""Run by Alembic: apply the migrations on the connection, and in the transaction, that `upgrade` hands over."""

from __future__ import annotations

from alembic import context

from airflow_mlplat.catalog.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # SQLite's tables are made in the transaction too: a killed upgrade leaves nothing
    include_name=lambda name, kind, parents: kind != "table" or bool(name and name.startswith("mlplat_")),
)
context.run_migrations()
