"""The catalog: versions, lineage, aliases and decisions, in SQLite or PostgreSQL.

Immutable things are in the store; here is what points at them. Import is cheap: SQLAlchemy comes with `open_catalog`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlplat.catalog.aliases import AliasRow
    from airflow_mlplat.catalog.artifacts import ArtifactRow
    from airflow_mlplat.catalog.catalog import Catalog, open_catalog
    from airflow_mlplat.catalog.decisions import DecisionInput, DecisionRow
    from airflow_mlplat.catalog.evaluations import EvaluationRow
    from airflow_mlplat.catalog.jobs import JobRow, RunInfo
    from airflow_mlplat.catalog.spans import SpanRow

__all__ = [
    "AliasRow",
    "ArtifactRow",
    "Catalog",
    "DecisionInput",
    "DecisionRow",
    "EvaluationRow",
    "JobRow",
    "RunInfo",
    "SpanRow",
    "open_catalog",
]

_WHERE = {
    "AliasRow": "aliases",
    "ArtifactRow": "artifacts",
    "Catalog": "catalog",
    "DecisionInput": "decisions",
    "DecisionRow": "decisions",
    "EvaluationRow": "evaluations",
    "JobRow": "jobs",
    "RunInfo": "jobs",
    "SpanRow": "spans",
    "open_catalog": "catalog",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
