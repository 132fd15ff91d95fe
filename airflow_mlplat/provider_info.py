"""What Airflow reads to know this package as a provider."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, following Airflow's `provider_info.schema.json`."""
    room = "airflow_mlplat"
    return {
        "package-name": "airflow-mlplat",
        "name": "MLPlat",
        "description": "Retrain image models: versioned datasets, one data iterator, a statistical promotion gate.",
        "operators": [
            {"integration-name": "MLPlat", "python-modules": [f"{room}.operators"]},
        ],
        "sensors": [
            {"integration-name": "MLPlat", "python-modules": [f"{room}.sensors"]},
        ],
        "hooks": [
            {"integration-name": "MLPlat", "python-modules": [f"{room}.hooks.jobs"]},
        ],
        "triggers": [
            {"integration-name": "MLPlat", "python-modules": [f"{room}.triggers.job", f"{room}.triggers.window"]},
        ],
        "extra-links": [f"{room}.operators.links.ArtifactLink"],
        "asset-uris": [{"schemes": ["mlplat"], "handler": None}],
        "cli": [f"{room}.cli.get_commands"],
    }
