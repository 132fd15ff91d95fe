"""What the lists show: pure functions from the catalog's rows to what a template prints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_mlplat.catalog import AliasRow, ArtifactRow, DecisionRow, EvaluationRow, RunInfo
from airflow_mlplat.contract import Ref

Counts = list[tuple[str, int]]
"""(reason or class, count), as the page lists them."""

_TOLD_ELSEWHERE = {
    "format",
    "kind",
    "name",
    "files",
    "parents",
    "outcome",
    "reason",
    "challenger",
    "champion",
    "holdout",
}


@dataclass(frozen=True)
class Accuracy:
    """How well a model did on one test dataset.

    Args:
        value: Share of right answers, 0 to 1.
        interval: Bounds of its 95 % interval, 0 to 1; None if it was not computed.
        dataset: The test dataset; its name is empty when unknown here.
        evaluation: Where the numbers are from.
    """

    value: float
    interval: tuple[float, float] | None
    dataset: Ref
    evaluation: Ref


@dataclass(frozen=True)
class Model:
    """A model version; `aliases` are those that point at it now."""

    ref: Ref
    framework: str
    partition: str
    created_at: datetime
    aliases: list[str]
    accuracies: list[Accuracy]


@dataclass(frozen=True)
class Place:
    """A model's name with an alias; `model` is None before the first promotion."""

    name: str
    alias: str
    model: Model | None
    since: datetime | None


@dataclass(frozen=True)
class Span:
    """A span, alone (`kept` and `dropped` are None) or as part of a dataset version; unknown numbers are None."""

    digest: str
    name: str
    partition: str
    samples: int | None
    kept: int | None
    dropped: int | None
    quarantined: Counts
    created_at: datetime | None


@dataclass(frozen=True)
class Dataset:
    """A dataset version; `quarantined` sums up its spans."""

    ref: Ref
    partition: str
    created_at: datetime
    samples: int | None
    labels: Counts
    spans: list[Span]
    dropped: Counts
    quarantined: Counts


@dataclass(frozen=True)
class Decision:
    """A decision; `numbers` is all that its test found, `manifest` the digest of what it was made from, if any."""

    key: str
    manifest: str | None
    name: str
    alias: str
    outcome: str
    reason: str
    partition: str
    challenger: str | None
    champion: str | None
    holdout: str | None
    decided_at: datetime
    run: str
    numbers: dict[str, Any]


def accuracies(rows: Iterable[EvaluationRow]) -> dict[str, list[Accuracy]]:
    """Model's digest → its accuracy on each test dataset, the newest first; of several on one, the newest."""
    found: dict[str, dict[str, Accuracy]] = {}
    for row in rows:
        if "accuracy" in row.metrics:
            low_high = row.metrics.get("interval")
            interval = (low_high[0], low_high[1]) if low_high else None
            of_model = found.setdefault(row.model, {})
            of_model.setdefault(row.dataset.digest, Accuracy(row.metrics["accuracy"], interval, row.dataset, row.ref))
    return {model: list(on.values()) for model, on in found.items()}


def models(
    rows: Iterable[ArtifactRow], aliases: Sequence[AliasRow], evaluations: Iterable[EvaluationRow]
) -> list[Model]:
    """Model versions, in the order of the rows."""
    measured = accuracies(evaluations)
    return [
        Model(
            row.ref,
            str(row.document.get("framework") or ""),
            row.partition,
            row.created_at,
            [place.alias for place in aliases if place.digest == row.digest],
            measured.get(row.digest, []),
        )
        for row in rows
    ]


def places(names: Iterable[str], aliases: Sequence[AliasRow], known: Iterable[Model]) -> list[Place]:
    """Who is champion under each name; a name without one is listed too."""
    by_digest = {model.ref.digest: model for model in known}
    held = [Place(row.name, row.alias, by_digest.get(row.digest), row.moved_at) for row in aliases]
    free = set(names) - {row.name for row in aliases}
    return sorted([*held, *(Place(name, "champion", None, None) for name in free)], key=lambda p: (p.name, p.alias))


def counts(of: Mapping[str, int] | None) -> Counts:
    """Counts by reason, the largest first, without zeros."""
    return sorted(((reason, n) for reason, n in (of or {}).items() if n), key=lambda item: (-item[1], item[0]))


def span(row: ArtifactRow) -> Span:
    """A span by itself."""
    document = row.document
    return Span(
        row.digest, row.name, row.partition, document.get("samples"), None, None,
        counts(document.get("quarantined")), row.created_at,
    )  # fmt: skip


def dataset(row: ArtifactRow, known_spans: Mapping[str, ArtifactRow]) -> Dataset:
    """A dataset version.

    Args:
        row: The dataset.
        known_spans: Digest → span, of those that it may have.
    """
    document = row.document
    spans = [_part(row.name, part, known_spans.get(part["digest"])) for part in document.get("spans", [])]
    quarantined: dict[str, int] = {}
    for part in spans:
        for reason, count in part.quarantined:
            quarantined[reason] = quarantined.get(reason, 0) + count
    labels = list(zip(document.get("classes") or [], document.get("label_counts") or []))
    return Dataset(
        row.ref, row.partition, row.created_at, document.get("samples"), labels, spans,
        counts(document.get("dropped")), counts(quarantined),
    )  # fmt: skip


def _part(name: str, part: Mapping[str, Any], row: ArtifactRow | None) -> Span:
    document = row.document if row else {}
    return Span(
        part["digest"], row.name if row else name, part.get("partition", ""), document.get("samples"),
        part.get("samples"), part.get("dropped"), counts(document.get("quarantined")), row.created_at if row else None,
    )  # fmt: skip


def decisions(rows: Iterable[DecisionRow]) -> list[Decision]:
    """Decisions, in the order of the rows."""
    return [_decision(row) for row in rows]


def _decision(row: DecisionRow) -> Decision:
    identity = row.node.partition(":")[2]
    numbers = {key: value for key, value in row.document.items() if key not in _TOLD_ELSEWHERE}
    return Decision(
        row.key, identity if identity != row.key else None, row.name, row.alias, row.outcome, row.reason,
        row.partition, row.challenger, row.champion, row.holdout, row.decided_at, run(row.run), numbers,
    )  # fmt: skip


def run(info: RunInfo) -> str:
    """The task instance, in words."""
    mapped = f"[{info.map_index}]" if info.map_index >= 0 else ""
    return f"{info.dag_id} / {info.run_id} / {info.task_id}{mapped}"
