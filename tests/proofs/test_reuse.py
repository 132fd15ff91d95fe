"""A backfill made again with `--reprocess-behavior completed` runs no job, and costs next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.proofs.conftest import Proof
from tests.proofs.fashion_stack import INGEST, RETRAINING, FashionStack

LAST = "2026-01-02"
STAGES = ("bridge", "test_set", "dataset", "train", "predict", "compare")
PLAIN = ("frameworks", "to_be_approved")


def tasks(home: FashionStack, dag_id: str, run_ids: set[str]) -> list[dict]:
    """Task instances of some runs, as the REST API tells them."""
    found = home.stack.request("GET", f"/api/v2/dags/{dag_id}/dagRuns/~/taskInstances?limit=200")["task_instances"]
    return [task for task in found if task["dag_run_id"] in run_ids and task["state"] == "success"]


def log_of(home: FashionStack, task: dict) -> str:
    folder = f"dag_id={task['dag_id']}/run_id={task['dag_run_id']}/task_id={task['task_id']}"
    folder += f"/map_index={task['map_index']}" if task["map_index"] >= 0 else ""
    return "".join(path.read_text() for path in Path(home.stack.folder, "logs", folder).glob("*.log"))


def seconds(task: dict) -> float:
    start, end = (datetime.fromisoformat(task[key].replace("Z", "+00:00")) for key in ("start_date", "end_date"))
    return (end - start).total_seconds()


@pytest.mark.proof("reuse")
def test_reuse(proof: Proof, fashion_home: Callable) -> None:
    home = fashion_home("home")
    home.backfill(last=LAST)
    before = {dag_id: {run["dag_run_id"] for run in home.stack.runs(dag_id)} for dag_id in (INGEST, RETRAINING)}
    launched = {path: path.stat().st_mtime_ns for path in (home.home / "jobs").glob("*/spec.json")}
    assert launched
    home.backfill("--reprocess-behavior", "completed", last=LAST, runs=4)
    again = {path: path.stat().st_mtime_ns for path in (home.home / "jobs").glob("*/spec.json")}
    started = len([path for path in again if again[path] != launched.get(path)])
    proof.row(started, "jobs started by the second backfill", "0", started == 0, f"{len(launched)} by the first")
    stages, plain = [], []
    for dag_id in (INGEST, RETRAINING):
        runs = {run["dag_run_id"] for run in home.stack.runs(dag_id)} - before[dag_id]
        for task in tasks(home, dag_id, runs):
            (stages if task["task_id"] in STAGES else plain if task["task_id"] in PLAIN else []).append(task)
    reused = [task for task in stages if "Reused" in log_of(home, task)]
    proof.row(len(reused), "stages that report what they reused", f"{len(stages)}", len(reused) == len(stages) >= 16)
    base = sorted(map(seconds, plain))[len(plain) // 2]
    slowest = max(stages, key=seconds)
    added = seconds(slowest) - base
    note = f"slowest: {slowest['task_id']} {seconds(slowest):.2f} s; a task that does nothing takes {base:.2f} s"
    proof.row(round(added, 2), "s added by the slowest stage", "<= 2 s", added <= 2, note)
