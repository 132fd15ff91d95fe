"""The store and the catalog of this installation."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_mlplat.catalog import Catalog
    from airflow_mlplat.launchers import Launcher
    from airflow_mlplat.store import Store


def catalog() -> Catalog:
    """The catalog, where the environment says it is; a command in the wrong folder shall not make one."""
    from airflow_mlplat.catalog import open_catalog
    from airflow_mlplat.hooks.settings import load_settings

    return open_catalog(load_settings().catalog, create=False)


def store() -> Store:
    """The store, where the environment says it is."""
    from airflow_mlplat.hooks.settings import load_settings
    from airflow_mlplat.store import open_store

    return open_store(load_settings().store)


def given_files() -> set[str]:
    """SHA-256 of the files, such as build files, that jobs of this installation were given."""
    from airflow_mlplat.hooks.settings import load_settings
    from airflow_mlplat.launchers.directory_launcher import given_files

    return given_files(load_settings().jobs)


def launchers() -> list[Launcher]:
    """All launchers of this installation."""
    from airflow_mlplat.hooks.launchers import launchers
    from airflow_mlplat.hooks.settings import load_settings

    # Hooks look connections up by the task SDK, which sees those in Airflow's database where this says that no task
    # runs here: `airflow connections test` sets it too (airflow/cli/commands/connection_command.py, 3.3).
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    return launchers(load_settings())
