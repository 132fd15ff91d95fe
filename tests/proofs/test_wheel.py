"""The built wheel in a clean environment: a provider, a plugin, and nothing to see without a login."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.proofs.conftest import Proof

SCHEMA = """
import json, jsonschema, airflow, pathlib
from airflow_mlplat.provider_info import get_provider_info
schema = json.loads((pathlib.Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
jsonschema.validate(get_provider_info(), schema)
print("valid")
"""
COMPILED = """
from airflow_mlplat.compiled.library import library
print("loads" if library() is not None else "is not there, or of another machine")
"""
ROUTES = """
import json
from airflow_mlplat.ui.plugin import MlplatPlugin
print(json.dumps([[app["url_prefix"], getattr(route, "path", ""), sorted(getattr(route, "methods", None) or ["GET"])]
                  for app in MlplatPlugin.fastapi_apps for route in app["app"].routes]))
"""


def answer(method: str, url: str) -> int:
    """The HTTP status of a request without any credentials."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.proof("wheel")
def test_wheel(proof: Proof, clean_environment: Path, tmp_path: Path, stack: Callable) -> None:
    bin = clean_environment / "bin"
    env = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "MLPLAT_HOME": str(tmp_path),
        "PYTHONWARNINGS": "ignore",
    }

    def run(*command: str) -> str:
        return subprocess.run(
            [str(bin / command[0]), *command[1:]], env=env, check=True, capture_output=True, text=True
        ).stdout

    providers = [row["package_name"] for row in json.loads(run("airflow", "providers", "list", "--output", "json"))]
    proof.row(
        providers.count("airflow-mlplat"), "entry in `airflow providers list`", "1", "airflow-mlplat" in providers
    )
    plugins = [row["name"] for row in json.loads(run("airflow", "plugins", "--output", "json"))]
    proof.row(plugins.count("mlplat"), "entry in `airflow plugins`", "1", plugins.count("mlplat") == 1)
    valid = run("python", "-c", SCHEMA).strip()
    proof.row(valid, "by Airflow's provider_info.schema.json", "valid", valid == "valid")

    loads = run("python", "-c", COMPILED).strip()
    proof.row(loads, "what is compiled", "loads", loads == "loads", "from the wheel, for any Python")

    routes = json.loads(run("python", "-c", ROUTES).splitlines()[-1])
    started = stack("home", airflow=bin / "airflow", dags=tmp_path / "none", environments=tmp_path / "none")
    urls = {(method, prefix + path.replace("{", "").replace("}", "").replace(":path", ""))
            for prefix, path, methods in routes for method in methods}  # fmt: skip
    urls |= {
        ("GET", prefix + extra) for prefix, _, _ in routes for extra in ("/", "/openapi.json", "/docs", "/nowhere")
    }
    statuses = {(method, path): answer(method, started.address + path) for method, path in sorted(urls)}
    open_ones = {key: status for key, status in statuses.items() if status not in (401, 403)}
    note = f"open: {open_ones}" if open_ones else "every page, method and unknown path"
    proof.row(
        len(statuses) - len(open_ones),
        "routes that ask for a login",
        f"{len(statuses)}",
        statuses and not open_ones,
        note,
    )
