"""A training of five minutes by operator and container, beside a bare script in the same image.

Both run at the same time, each held to one processor, so that a machine whose speed changes slows both.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from tests.proofs.conftest import ROOT, Proof

SECONDS = 300


@pytest.mark.proof("overhead", slow=True)
def test_overhead(proof: Proof, stack: Callable, tmp_path: Path, docker_engine: str, docker_client) -> None:
    from fashion import debian, seed

    home, dags = tmp_path / "home", tmp_path / "dags"
    shutil.copytree(ROOT / "tests/proofs/dags", dags)
    shutil.copytree(ROOT / "dags/models", dags / "models")
    seed(home / "sources/fashion", 12000, 100)
    connection = {"conn_type": "sqlite", "host": str(home / "sources/fashion/fashion.db")}
    extra = {"AIRFLOW_CONN_FASHION": json.dumps(connection), "DOCKER_HOST": docker_engine}
    airflow = stack("home", dags=dags, extra=extra)
    airflow.await_dag("overhead")
    images, labels = debian()["train"]
    np.save(tmp_path / "images.npy", images[:12000])
    np.save(tmp_path / "labels.npy", labels[:12000])
    bare = Bare(docker_client, tmp_path)

    train(airflow, epochs=1, seed=1)  # bridges, and builds the dataset
    bare.start(1)
    once = bare.seconds()
    bare.start(3)
    each = max(0.5, (bare.seconds() - once) / 2)
    epochs = max(2, round(SECONDS / each))
    bare.start(epochs)
    ours = train(airflow, epochs=epochs, seed=2)
    theirs = bare.seconds()
    note = f"{epochs} epochs of 12,000 images, one processor each: {ours:.1f} s for the task and {theirs:.1f} s"
    proof.row(100 * (ours / theirs - 1), "% longer than the bare script", "<= 5 %", ours <= 1.05 * theirs, note)


def train(airflow, epochs: int, seed: int) -> float:
    """Run the DAG; seconds from the start of its training task to the end."""
    conf = {"epochs": epochs, "seed": seed}
    run = airflow.request("POST", "/api/v2/dags/overhead/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"]
    end = time.monotonic() + 2000
    while (state := airflow.request("GET", f"/api/v2/dags/overhead/dagRuns/{run}")["state"]) not in (
        "success",
        "failed",
    ):
        assert time.monotonic() < end, f"run {run} did not end"
        time.sleep(1)
    assert state == "success", f"run {run} failed; see {airflow.folder}/logs"
    task = airflow.request("GET", f"/api/v2/dags/overhead/dagRuns/{run}/taskInstances/train")
    return between(task["start_date"], task["end_date"])


def between(began: str, ended: str) -> float:
    """Seconds between two instants, of which the Docker Engine tells nanoseconds."""
    first, second = (datetime.fromisoformat(text[:26].rstrip("Z")) for text in (began, ended))
    return (second - first).total_seconds()


class Bare:
    """The bare script in MXNet's image, held as our job is."""

    def __init__(self, client, folder: Path) -> None:
        self.client, self.folder, self.container = client, folder, ""

    def start(self, epochs: int) -> None:
        """Start it."""
        script, model = ROOT / "tests/proofs/bare_training.py", ROOT / "dags/models/cnn.py"
        host = self.client.create_host_config(
            binds=[f"{self.folder}:/data:ro", f"{script}:/bare.py:ro", f"{model}:/model.py:ro"], nano_cpus=10**9
        )
        self.container = self.client.create_container(
            "airflow-mlplat/mxnet:latest", ["python", "/bare.py", "/data", "/model.py", str(epochs)],
            environment={"OMP_NUM_THREADS": "1"}, host_config=host, user="0",  # whom pytest's folders let in
        )["Id"]  # fmt: skip
        self.client.start(self.container)

    def seconds(self) -> float:
        """Wait for its end; how long it took."""
        code = self.client.wait(self.container, timeout=2000)["StatusCode"]
        assert code == 0, self.client.logs(self.container).decode()
        state = self.client.inspect_container(self.container)["State"]
        self.client.remove_container(self.container)
        return between(state["StartedAt"], state["FinishedAt"])
