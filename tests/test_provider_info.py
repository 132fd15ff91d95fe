"""What Airflow reads to know the provider."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest
import tomllib

pytestmark = pytest.mark.airflow


def test_it_follows_airflows_schema() -> None:
    import airflow
    import jsonschema

    from airflow_mlplat.provider_info import get_provider_info

    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)


def test_everything_it_names_exists(root: Path) -> None:
    from airflow_mlplat.provider_info import get_provider_info

    info = get_provider_info()
    for group in ("operators", "sensors", "hooks", "triggers"):
        for module in info[group][0]["python-modules"]:
            importlib.import_module(module)
    for path in (*info["extra-links"], *info["cli"]):
        module, _, name = path.rpartition(".")
        assert getattr(importlib.import_module(module), name)
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert info["package-name"] == project["name"]
