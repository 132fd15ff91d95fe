"""SIGKILL of the worker and of the job, in the bridge and in the training, at 20 random moments."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.proofs.conftest import ROOT, Proof

MOMENTS = 20
TARGETS = ("bridge worker", "training worker", "training job", "training supervisor")
SEED = 20260101  # which moments: printed beside the figures, so that a run can be repeated


@pytest.mark.proof("kill", slow=True)
def test_kill(proof: Proof, stack: Callable, tmp_path: Path) -> None:
    from fashion import seed

    home, dags = tmp_path / "home", tmp_path / "dags"
    shutil.copytree(ROOT / "tests/proofs/dags", dags)
    shutil.copytree(ROOT / "dags/models", dags / "models")
    seed(home / "sources/fashion", 6000, 100)
    connection = {"conn_type": "sqlite", "host": str(home / "sources/fashion/fashion.db")}
    airflow = stack("home", dags=dags, extra={"AIRFLOW_CONN_FASHION": json.dumps(connection)})
    airflow.await_dag("kill")
    victim = Victim(airflow, home)

    expected = victim.run()
    dice = random.Random(SEED)
    runs, equal, hits, found_again, waiting, resumed, trainings, orphans = 0, 0, 0, 0, 0, 0, 0, []
    while hits < MOMENTS and runs < 2 * MOMENTS:
        target = TARGETS[hits % len(TARGETS)]
        task = "bridge" if target.startswith("bridge") else "train"
        delay = dice.uniform(0.05, 0.95) * victim.lengths[task]
        seen = victim.run(target, task, delay)
        runs, equal, hits = runs + 1, equal + (seen == expected), hits + victim.hit
        if target in ("training job", "training supervisor") and victim.hit:
            trainings += victim.checkpointed
            resumed += victim.checkpointed and victim.resumed_from > 0
        if target == "training worker" and victim.hit and victim.specs:
            waiting += 1
            found_again += victim.trainings() == victim.specs
        left = list(processes_of(home))
        orphans += left
        print(
            f"{runs:2}. {target} after {delay:.1f} s, {'hit' if victim.hit else 'too late: once more'}: "
            f"{'equal' if seen == expected else seen}, resumed from step {victim.resumed_from}, left {left}",
            flush=True,
        )
    proof.row(hits, "kills that hit a living process", f"{MOMENTS}", hits == MOMENTS, f"random seed {SEED}")
    proof.row(equal, f"of {runs} runs end with the digests of the undisturbed one", f"{runs}", equal == runs)
    proof.row(
        found_again, "jobs of killed workers that their retry found again", f"{waiting}", found_again == waiting > 0
    )
    proof.row(
        resumed, "killed trainings that had a checkpoint and went on from it", f"{trainings}", resumed == trainings > 0
    )
    proof.row(len(orphans), "processes left", "0", not orphans, ", ".join(orphans)[:200])


class Victim:
    """Runs the DAG `kill` on an emptied home, and kills something in it."""

    def __init__(self, airflow: object, home: Path) -> None:
        self.airflow, self.home = airflow, home
        self.lengths: dict[str, float] = {}  # seconds of the tasks, when last undisturbed: the machine's speed varies
        self.resumed_from, self.checkpointed = 0, False
        self.hit, self.specs = False, dict[str, int]()

    def run(self, target: str | None = None, task: str = "", delay: float = 0.0) -> dict[str, str]:
        """One run from the sources to a model; returns span and model digests."""
        self.hit = False
        for name in ("store", "jobs"):
            shutil.rmtree(self.home / name, ignore_errors=True)
        for path in self.home.glob("catalog.db*"):
            path.unlink()
        run = self.airflow.request("POST", "/api/v2/dags/kill/dagRuns", {"logical_date": None})["dag_run_id"]
        if target:
            self.await_task(run, task, ("running",))
            time.sleep(delay)
            self.kill(target, run, task)
        end = time.monotonic() + 240
        while (state := self.airflow.request("GET", f"/api/v2/dags/kill/dagRuns/{run}")["state"]) not in (
            "success",
            "failed",
        ):
            assert time.monotonic() < end, f"{target}: run {run} did not end"
            time.sleep(0.3)
        assert state == "success", f"{target} after {delay}: run {run} failed; see {self.airflow.folder}/logs"
        if not self.hit:
            self.lengths = {task: self.task(run, task)["duration"] for task in ("bridge", "train")}
        return self.digests()

    def task(self, run: str, task: str) -> dict:
        return self.airflow.request("GET", f"/api/v2/dags/kill/dagRuns/{run}/taskInstances/{task}")

    def await_task(self, run: str, task: str, states: tuple[str, ...]) -> None:
        end = time.monotonic() + 120
        while self.task(run, task)["state"] not in states:
            assert time.monotonic() < end, f"{task} of {run} did not start"
            time.sleep(0.05)

    def kill(self, target: str, run: str, task: str) -> None:
        """SIGKILL; a target that is already gone was killed too late, which is a moment like any other."""
        self.specs = self.trainings()
        unfinished = [key for key in self.specs if not (self.home / f"store/results/{key}.json").exists()]
        self.checkpointed = any(any((self.home / "jobs" / key).rglob("step-*.npz")) for key in unfinished)
        if target.endswith("worker"):
            pids = [self.task(run, task)["pid"]]
        else:
            module = "airflow_mlplat.runtime" if target.endswith("job") else "launchers.supervisor"
            pids = [pid for pid, line in commands(self.home) if module in line]
        for pid in filter(None, pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.hit = True

    def trainings(self) -> dict[str, int]:
        """Training job → when it was last started; a job that is found again was not."""
        specs = self.home.glob("jobs/*/spec.json")
        return {path.parent.name: path.stat().st_mtime_ns for path in specs if '"train"' in path.read_text()}

    def digests(self) -> dict[str, str]:
        from airflow_mlplat.catalog import open_catalog

        catalog = open_catalog(f"sqlite:///{self.home}/catalog.db")
        (training,) = catalog.jobs("train")
        self.resumed_from = training.result.stats.get("resumed_from", 0)
        return {kind: catalog.artifacts(kind)[0].digest for kind in ("span", "dataset", "model")}


def commands(home: Path) -> Iterator[tuple[int, str]]:
    """Living processes whose command line names a job of this home."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(home / "jobs") in line:
            yield int(path.name), line


def processes_of(home: Path) -> Iterator[str]:
    """Those that are still there after a moment's grace."""
    end = time.monotonic() + 5
    while (left := [line for _, line in commands(home)]) and time.monotonic() < end:
        time.sleep(0.2)
    yield from left
