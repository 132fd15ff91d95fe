"""The Airflow plugin: its pages and their places in Airflow's UI."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class MlplatPlugin(AirflowPlugin):
    """Registered once, by the entry point `airflow.plugins`."""

    name = "mlplat"
