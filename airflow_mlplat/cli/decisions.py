"""`airflow mlplat decisions`."""

from __future__ import annotations

from argparse import Namespace

from airflow_mlplat.cli import places
from airflow_mlplat.cli.output import command, print_rows


@command
def show_list(args: Namespace) -> None:
    """Decisions, the newest first."""
    rows = places.catalog().decisions(args.name, args.limit)
    print_rows(
        (
            {
                "name": row.name,
                "digest": row.node.removeprefix("decision:"),
                "partition": row.partition,
                "outcome": row.outcome,
                "challenger": row.challenger,
                "champion": row.champion,
                "decided_at": row.decided_at.isoformat(timespec="seconds"),
                "reason": row.reason,
            }
            for row in rows
        ),
        args.output,
    )
