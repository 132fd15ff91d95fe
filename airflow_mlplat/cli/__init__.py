"""`airflow mlplat …`: what is in the store and the catalog, for people at a terminal."""

from __future__ import annotations

from typing import Any

__all__ = ["get_commands"]


def get_commands() -> list[Any]:
    """The commands, for Airflow's command line; called when it starts, so nothing heavy is imported here."""
    from airflow_mlplat.cli.commands import commands

    return commands()
