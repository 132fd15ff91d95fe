"""How well models did: the evaluations of model versions, found through the predictions they were computed from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_mlplat.catalog.tables import ARTIFACT
from airflow_mlplat.contract import Ref

_CHUNK = 500
"""Values in one IN list: SQLite before 3.32 takes at most 999 variables (sqlite.org/limits.html)."""


@dataclass(frozen=True)
class EvaluationRow:
    """An evaluation, with the model and the test dataset that its predictions name.

    Args:
        ref: The evaluation.
        model: Digest of the model version.
        dataset: The dataset version that was predicted.
        metrics: Accuracy, interval and the like, plain JSON.
        created_at: When it was first recorded, UTC.
    """

    ref: Ref
    model: str
    dataset: Ref
    metrics: dict[str, Any]
    created_at: datetime


def of_models(connection: sa.Connection, models: Iterable[str]) -> list[EvaluationRow]:
    """Every evaluation of some model versions, the newest first.

    Args:
        connection: A reading transaction.
        models: Digests.
    """
    wanted = sorted(set(models))
    rows: list[EvaluationRow] = []
    for start in range(0, len(wanted), _CHUNK):
        found = connection.execute(_query(wanted[start : start + _CHUNK]))
        rows += [_evaluation_row(row) for row in found]
    return sorted(rows, key=lambda row: (row.created_at, row.ref.digest), reverse=True)


def _query(models: list[str]) -> sa.Select[Any]:
    evaluation, predictions, dataset = ARTIFACT.alias(), ARTIFACT.alias(), ARTIFACT.alias()
    model = predictions.c.document["model"].as_string()
    measured = evaluation.c.document[("parents", 0, "digest")].as_string()
    tested = predictions.c.document["dataset"].as_string()
    return (
        sa.select(evaluation, model.label("model"), tested.label("dataset"), dataset.c.name.label("dataset_name"))
        .join(predictions, predictions.c.digest == measured)
        # A test dataset that another installation built may be missing here.
        .outerjoin(dataset, dataset.c.digest == tested)
        .where(evaluation.c.kind == "evaluation", predictions.c.kind == "predictions", model.in_(models))
    )


def _evaluation_row(row: Any) -> EvaluationRow:
    dataset = Ref("dataset", row.dataset_name or "", row.dataset)
    metrics = row.document.get("metrics", {})
    return EvaluationRow(Ref("evaluation", row.name, row.digest), row.model, dataset, metrics, row.created_at)
