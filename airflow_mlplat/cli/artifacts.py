"""`airflow mlplat datasets` and `models`."""

from __future__ import annotations

import contextlib
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlplat.cli import places
from airflow_mlplat.cli.output import command, print_document, print_rows
from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import NotFoundError
from airflow_mlplat.store.left_out import left_out

if TYPE_CHECKING:
    from airflow_mlplat.catalog import ArtifactRow, Catalog

_SHOWN = {"dataset": ("dataset", "span"), "model": ("model",)}


@command
def list_datasets(args: Namespace) -> None:
    """Datasets, or spans, the newest first."""
    catalog = places.catalog()
    rows = catalog.artifacts("span" if args.spans else "dataset", args.name, args.limit)
    if not rows and not args.spans and catalog.artifacts("span", args.name, 1):
        print("No dataset is built yet; --spans lists the spans that there are.", file=sys.stderr)
    print_rows(map(_span_row if args.spans else _dataset_row, rows), args.output)


@command
def list_models(args: Namespace) -> None:
    """Models, the newest first, with their accuracy and whether they hold an alias."""
    catalog = places.catalog()
    rows = catalog.artifacts("model", args.name, args.limit)
    measured = _measured(catalog, rows)
    aliases: dict[str, list[str]] = {}
    for alias in catalog.aliases():
        aliases.setdefault(alias.digest, []).append(f"{alias.name}@{alias.alias}")
    print_rows(
        (
            {
                **_row(row),
                "framework": row.document.get("framework"),
                "accuracy": measured.get(row.digest, {}).get("accuracy"),
                "interval": measured.get(row.digest, {}).get("interval"),
                "alias": ", ".join(aliases.get(row.digest, [])) or None,
            }
            for row in rows
        ),
        args.output,
    )


@command
def show_dataset(args: Namespace) -> None:
    """One dataset, with how many records are not in it, or not labelled; or one span."""
    catalog, row = _named(args, "dataset")
    document = row.document
    if row.kind == "span":
        _show(row, {}, args.output)
        return
    quarantined: Counter[str] = Counter()
    for parent in document["parents"]:
        quarantined.update(catalog.artifact(Ref.from_json(parent)).document["quarantined"])
    unlabelled = document["samples"] - sum(document["label_counts"])
    _show(row, {"unlabelled": unlabelled, "quarantined": dict(sorted(quarantined.items()))}, args.output)


@command
def show_quarantine(args: Namespace) -> None:
    """Every record that is not in a dataset: what its bridges set aside, and what was dropped when it was built."""
    _, row = _named(args, "dataset")
    print_rows(left_out(places.store(), row.ref), args.output)


@command
def show_model(args: Namespace) -> None:
    """One model."""
    _show(_named(args, "model")[1], {}, args.output)


def _show(row: ArtifactRow, facts: Mapping[str, Any], output: str) -> None:
    made = {"created_at": row.created_at.isoformat(), "job": row.job_key}
    print_document({"kind": row.kind, **_row(row), **made, **_rest(row.document), **facts}, output)


def _named(args: Namespace, kind: str) -> tuple[Catalog, ArtifactRow]:
    catalog = places.catalog()
    bare = ":" not in args.ref and "@" not in args.ref
    try:
        ref = _by_name(catalog, args.ref, kind) if bare else catalog.resolve(args.ref)
    except NotFoundError as error:
        raise NotFoundError(
            error.what, expected=error.expected, got=error.got, fix=f"`airflow mlplat {kind}s list`"
        ) from error
    if ref.kind not in _SHOWN[kind]:
        group = ref.kind + "s show" if ref.kind in ("dataset", "model") else "lineage"
        raise NotFoundError(f"{args.ref} is no {kind}", got=ref, fix=f"`airflow mlplat {group} {args.ref}`")
    return catalog, catalog.artifact(ref)


def _by_name(catalog: Catalog, text: str, kind: str) -> Ref:
    """What bare words mean: of a dataset that is not built yet, its latest span."""
    first, *others = _SHOWN[kind]
    try:
        return catalog.resolve(f"{first}:{text}")
    except NotFoundError:
        for other in others:
            with contextlib.suppress(NotFoundError):
                return catalog.resolve(f"{other}:{text}")
        raise


def _row(row: ArtifactRow) -> dict[str, Any]:
    return {"name": row.name, "digest": row.digest, "partition": row.partition}


def _dataset_row(row: ArtifactRow) -> dict[str, Any]:
    document = row.document
    return {
        **_row(row),
        "samples": document.get("samples"),
        "dropped": sum(document.get("dropped", {}).values()),
        "spans": len(document.get("spans", ())),
        "created_at": row.created_at.isoformat(timespec="seconds"),
    }


def _span_row(row: ArtifactRow) -> dict[str, Any]:
    document = row.document
    return {
        **_row(row),
        "samples": document["samples"],
        "quarantined": sum(document["quarantined"].values()),
        "classes": len(document["classes"]),
        "created_at": row.created_at.isoformat(timespec="seconds"),
    }


def _rest(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in ("format", "kind", "name")}


def _measured(catalog: Catalog, rows: list[ArtifactRow]) -> dict[str, Mapping[str, Any]]:
    """Model digest → metrics of its newest evaluation, where it has an accuracy."""
    found: dict[str, Mapping[str, Any]] = {}
    for evaluation in catalog.evaluations(row.digest for row in rows):
        if "accuracy" in evaluation.metrics:
            found.setdefault(evaluation.model, evaluation.metrics)
    return found
