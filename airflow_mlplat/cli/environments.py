"""`airflow mlplat environments`."""

from __future__ import annotations

from argparse import Namespace

from airflow_mlplat.cli.output import command, print_document


@command
def create(args: Namespace) -> None:
    """Make the environment of a framework's jobs."""
    from airflow_mlplat.hooks.settings import load_settings
    from airflow_mlplat.launchers.create import create_environment

    folder = create_environment(load_settings().environments, args.framework)
    print_document({"framework": args.framework, "environment": str(folder)}, args.output)
