"""What an artifact's page shows: pure, from rows of the catalog."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_mlplat.catalog import AliasRow, ArtifactRow, DecisionRow, EvaluationRow, JobRow
from airflow_mlplat.contract import Ref
from airflow_mlplat.ui import pages

_TOLD_ELSEWHERE = {
    "": {"format", "kind", "name", "files", "parents", "partition"},
    "dataset": {"spans", "dropped", "label_counts", "classes", "samples"},
    "span": {"shards", "quarantined", "samples"},
    "decision": {"outcome", "reason", "challenger", "champion"},
}
"""What of a manifest has a place of its own on the page, by kind; the rest is listed as it is."""


@dataclass(frozen=True)
class Page:
    """An artifact.

    Args:
        row: Its row in the catalog.
        aliases: `NAME@ALIAS` that point at it now.
        made_by: Label → value: the job and the task that made it; empty for spans.
        model: Its accuracies; None for other kinds.
        dataset: Its spans; None for other kinds.
        span: Its numbers; None for other kinds.
        decision: What the gate decided; None for other kinds.
        parents: What its manifest names as its parents.
        files: File name → SHA-256.
        facts: What else its manifest says, plain JSON.
    """

    row: ArtifactRow
    aliases: list[str]
    made_by: dict[str, Any]
    model: pages.Model | None
    dataset: pages.Dataset | None
    span: pages.Span | None
    decision: pages.Decision | None
    parents: list[Ref]
    files: dict[str, str]
    facts: dict[str, Any]


def page(
    row: ArtifactRow,
    *,
    job: JobRow | None,
    aliases: Sequence[AliasRow],
    evaluations: Sequence[EvaluationRow],
    spans: Mapping[str, ArtifactRow],
    decision: DecisionRow | None,
) -> Page:
    """The page of one artifact.

    Args:
        row: The artifact.
        job: The job that made it.
        aliases: All aliases.
        evaluations: Of a model.
        spans: Digest → span, of a dataset.
        decision: Of a decision's manifest.
    """
    document, kind = row.document, row.kind
    elsewhere = _TOLD_ELSEWHERE[""] | _TOLD_ELSEWHERE.get(kind, set())
    return Page(
        row=row,
        aliases=[f"{place.name}@{place.alias}" for place in aliases if place.digest == row.digest],
        made_by=_made_by(job),
        model=pages.models([row], aliases, evaluations)[0] if kind == "model" else None,
        dataset=pages.dataset(row, spans) if kind == "dataset" else None,
        span=pages.span(row) if kind == "span" else None,
        decision=pages.decisions([decision])[0] if decision else None,
        parents=[Ref.from_json(parent) for parent in document.get("parents", [])],
        files=dict(document.get("files") or {}),
        facts={key: value for key, value in document.items() if key not in elsewhere},
    )


def _made_by(job: JobRow | None) -> dict[str, Any]:
    if job is None:
        return {}
    spec = job.spec
    return {
        "task": pages.run(job.run), "stage": spec.stage, "job": job.key, "framework": spec.framework,
        "code version": spec.code_version, "image": spec.image, "parameters": spec.params,
        "statistics": job.result.stats,
    }  # fmt: skip
