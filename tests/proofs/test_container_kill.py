"""SIGKILL of the worker, and `docker kill` of the job, at random moments of trainings in containers."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.proofs.conftest import ROOT, Proof

EPOCHS = {"tensorflow": 12, "mxnet": 12, "caffe": 4}
"""Framework → so many that a training takes several times as long as its start."""
WORKER_KILLS, JOB_KILLS = 20, 10
PERIOD = 20  # steps between checkpoints, as in the DAG
SEED = 20260102


@pytest.mark.proof("container-kill", slow=True)
def test_container_kill(proof: Proof, stack: Callable, tmp_path: Path, docker_engine: str, docker_client) -> None:
    from fashion import seed

    home, dags = tmp_path / "home", tmp_path / "dags"
    shutil.copytree(ROOT / "tests/proofs/dags", dags)
    shutil.copytree(ROOT / "dags/models", dags / "models")
    seed(home / "sources/fashion", 6000, 100)
    connection = {"conn_type": "sqlite", "host": str(home / "sources/fashion/fashion.db")}
    extra = {"AIRFLOW_CONN_FASHION": json.dumps(connection), "DOCKER_HOST": docker_engine}
    airflow = stack("home", dags=dags, extra=extra)
    airflow.await_dag("kill")
    dice, victims = random.Random(SEED), {name: Victim(airflow, home, docker_client, name) for name in EPOCHS}
    expected = {name: victim.run() for name, victim in victims.items()}
    periods = sum(victim.checkpoints >= victim.steps // PERIOD for victim in victims.values())
    proof.row(periods, "frameworks of 3 write a checkpoint in every period", "3", periods == 3)

    for kind, wanted in (("worker", WORKER_KILLS), ("job", JOB_KILLS)):
        hits, runs, digests, seen, found, resumed = 0, 0, 0, 0, 0, 0
        while hits < wanted and runs < 2 * wanted:
            name = list(EPOCHS)[hits % len(EPOCHS)]
            victim = victims[name]
            got = victim.run(kind, dice.uniform(0.05, 0.9))
            runs += 1
            if victim.hit:
                hits += 1
                digests += got["model"] == expected[name]["model"]
                seen += got["batches"] == expected[name]["batches"]
                found += victim.containers == 1
                resumed += victim.containers == 2 and victim.resumed_from >= victim.checkpoint
            print(
                f"{runs:2}. {kind} of {name}: {'hit' if victim.hit else 'too late'}, {victim.containers} containers, "
                f"newest checkpoint {victim.checkpoint}, resumed from {victim.resumed_from}, {got == expected[name]}",
                flush=True,
            )
        of = f"{wanted}"
        proof.row(hits, f"kills of the {kind} that hit", of, hits == wanted, f"random seed {SEED}")
        if kind == "worker":
            proof.row(found, "of them left one container, which the retry found again", of, found == wanted)
        else:
            note = f"so at most a period of {PERIOD} steps was computed again"
            proof.row(resumed, "of them went on from the newest checkpoint", of, resumed == wanted, note)
        proof.row(digests, "of them ended with the model of the undisturbed run", of, digests == wanted)
        proof.row(seen, "of them were given the very batches of the undisturbed run", of, seen == wanted)
    left = docker_client.containers(all=True, filters={"label": "dag_id=kill"})
    proof.row(len(left), "containers left", "0", not left)


class Victim:
    """Runs the training of the DAG `kill` anew in one framework, and kills something in it."""

    def __init__(self, airflow, home: Path, docker, framework: str) -> None:
        self.airflow, self.home, self.docker, self.framework = airflow, home, docker, framework
        self.seconds = 0.0  # of the undisturbed training
        self.checkpoint = self.checkpoints = self.steps = self.resumed_from = self.containers = 0
        self.hit = False

    def run(self, kind: str | None = None, moment: float = 0.0) -> dict[str, str]:
        """One run; returns the model's digest, and that of its batches."""
        self.hit, self.checkpoint = False, 0
        for path in self.home.glob("jobs/*/spec.json"):
            spec = json.loads(path.read_text())
            if spec["stage"] == "train" and spec["framework"] == self.framework:
                (self.home / f"store/results/{path.parent.name}.json").unlink(missing_ok=True)
                shutil.rmtree(path.parent)
        began = int(time.time()) - 1
        conf = {"framework": self.framework, "launcher": "docker", "epochs": EPOCHS[self.framework]}
        body = {"logical_date": None, "conf": conf}
        run = self.airflow.request("POST", "/api/v2/dags/kill/dagRuns", body)["dag_run_id"]
        if kind is not None:
            self.kill(kind, run, moment)
        end = time.monotonic() + 400
        while (state := self.airflow.request("GET", f"/api/v2/dags/kill/dagRuns/{run}")["state"]) not in (
            "success",
            "failed",
        ):
            assert time.monotonic() < end, f"run {run} did not end"
            time.sleep(0.3)
        assert state == "success", f"run {run} failed; see {self.airflow.folder}/logs"
        return self.look(began)

    def look(self, began: int) -> dict[str, str]:
        """What came of it."""
        (key,) = [path.parent.name for path in self.trainings()]
        filters = {"type": "container", "event": "create", "label": f"airflow-mlplat.job={key}"}
        self.containers = len(list(self.docker.events(since=began, until=int(time.time()) + 1, filters=filters)))
        result = json.loads((self.home / f"store/results/{key}.json").read_text())
        stats = result["stats"]
        self.resumed_from = stats["resumed_from"]
        if not self.hit:
            self.seconds, self.checkpoints = stats["training_seconds"], stats["checkpoints"]
            self.steps = EPOCHS[self.framework] * (6000 // 64)
        return {"model": result["outputs"]["model"]["digest"], "batches": stats["batches"]}

    def trainings(self) -> list[Path]:
        """Specs of this framework's trainings."""
        found = []
        for path in self.home.glob("jobs/*/spec.json"):
            with contextlib.suppress(FileNotFoundError, ValueError):
                spec = json.loads(path.read_text())
                if spec["stage"] == "train" and spec["framework"] == self.framework:
                    found.append(path)
        return found

    def kill(self, kind: str, run: str, moment: float) -> None:
        """SIGKILL after a part of the time that the training takes once it has a first checkpoint."""
        end = time.monotonic() + 120
        while not (files := [f for path in self.trainings() for f in path.parent.rglob("step-*.npz")]):
            assert time.monotonic() < end, f"{run}: no checkpoint"
            time.sleep(0.05)
        time.sleep(moment * self.seconds)
        folder = files[0].parent.parent  # jobs/KEY/work/0
        if (folder / "result.json").exists():
            return
        steps = [int(f.stem[len("step-") :]) for f in folder.rglob("step-*.npz")]
        if kind == "worker":
            task = self.airflow.request("GET", f"/api/v2/dags/kill/dagRuns/{run}/taskInstances/train")
            if task["pid"] and task["state"] == "running":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(task["pid"], signal.SIGKILL)
                    self.hit = True
        else:
            running = self.docker.containers(filters={"label": f"airflow-mlplat.job={folder.parents[1].name}"})
            for found in running:
                self.docker.kill(found["Id"])
                self.hit = True
        self.checkpoint = max(steps)
