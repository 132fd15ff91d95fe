"""Jobs in pods as tasks: the same digits DAG, by a real Kubernetes."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from airflow_mlplat.contract import CONTRACT_VERSION, digest
from airflow_mlplat.launchers import code_version

pytestmark = [pytest.mark.airflow, pytest.mark.kubernetes, pytest.mark.timeout(600)]

OPTIONS = {"epochs": 4, "batch_size": 32, "shape": [8, 8, 1]}


@pytest.fixture(autouse=True)
def cluster(kubernetes_config: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """What MLPLAT_KUBERNETES says."""
    images = {
        role: {
            "image": f"airflow-mlplat/{role}:suite",
            "code_version": code_version(),
            "contract_version": CONTRACT_VERSION,
        }
        for role in ("prep", "mxnet")
    }
    connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": kubernetes_config}}
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps(connection))
    options = {
        "volume": {"hostPath": {"path": str(home)}},
        "mounted_at": str(home),
        "images": images,
        "conn_id": "cluster",
    }
    (home / "kubernetes.json").write_text(json.dumps(options))
    monkeypatch.setenv("MLPLAT_KUBERNETES", str(home / "kubernetes.json"))
    return options


def jobs_of(config: str, home: Path, options: dict) -> list[str]:
    """Names of the home's Kubernetes Jobs."""
    from kubernetes.client import BatchV1Api
    from kubernetes.config import new_client_from_config

    installation = digest([str(home / "jobs"), options["volume"]])[:12]
    selector = f"airflow-mlplat.installation={installation}"
    found = BatchV1Api(new_client_from_config(config)).list_namespaced_job("default", label_selector=selector)
    return [job.metadata.name for job in found.items]


def test_the_main_job(run_dag, catalog, home: Path, kubernetes_config: str, cluster: dict) -> None:
    asked = {"launcher": "kubernetes", "framework": "mxnet", "options": OPTIONS, "limits": {"memory_bytes": 2 << 30}}
    run = run_dag(**asked)
    assert run.state == "success", run.log[-5000:]
    assert catalog.alias("digits") is not None
    nodes = catalog.lineage("digits@champion")["nodes"].values()
    images = {node["detail"]["image"] for node in nodes if node["kind"] == "job"}
    assert images == {"airflow-mlplat/prep:suite", "airflow-mlplat/mxnet:suite"}
    assert not list(home.glob("jobs/*/store"))
    end = time.monotonic() + 15
    while left := jobs_of(kubernetes_config, home, cluster):
        assert time.monotonic() < end, left
        time.sleep(0.2)
    again = run_dag(**asked)
    assert again.log.count("Reused the result of job") == 5
