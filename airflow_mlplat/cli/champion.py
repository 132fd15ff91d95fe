"""`airflow mlplat champion`."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from airflow_mlplat.cli import places
from airflow_mlplat.cli.output import SHORT, command, print_document, print_rows
from airflow_mlplat.errors import NotFoundError

if TYPE_CHECKING:
    from airflow_mlplat.catalog import AliasRow, Catalog


@command
def show(args: Namespace) -> None:
    """The champion and those before it, the newest first."""
    name, alias = _name(args.name)
    catalog = places.catalog()
    _current(catalog, name, alias)
    print_rows((_row(catalog, row) for row in reversed(catalog.history(name, alias))), args.output)


@command
def rollback(args: Namespace) -> None:
    """Go back to the champion before the current one."""
    import getpass

    from airflow_mlplat.catalog import RunInfo

    name, alias = _name(args.name)
    catalog = places.catalog()
    current = _current(catalog, name, alias)
    run = RunInfo("", f"command line, {getpass.getuser()}", "rollback")
    row = catalog.rollback(name, alias, expected=args.expected or current.digest, run=run)
    if args.output == "table":
        print(f"{name}@{alias} is {row.digest[:SHORT]} of {row.partition} again, no longer {current.digest[:SHORT]}")
    else:
        print_document(_row(catalog, row), args.output)


def _name(text: str) -> tuple[str, str]:
    name, _, alias = text.partition("@")
    return name, alias or "champion"


def _current(catalog: Catalog, name: str, alias: str) -> AliasRow:
    row = catalog.alias(name, alias)
    if row is None:
        known = ", ".join(f"{row.name}@{row.alias}" for row in catalog.aliases()) or "none yet"
        raise NotFoundError(f"{name!r} has no {alias}", expected=f"one of: {known}", fix="promote a model first")
    return row


def _row(catalog: Catalog, row: AliasRow) -> dict[str, Any]:
    decided = catalog.decision(row.decision)
    return {
        "version": row.version,
        "digest": row.digest,
        "partition": row.partition,
        "moved_at": row.moved_at.isoformat(timespec="seconds"),
        "decision": decided.node.removeprefix("decision:") if decided else None,
        "restores": row.restores,
    }
