"""A task that is given up leaves no container; and what a user reads for each of many faults."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import MlplatError, UserError
from airflow_mlplat.launchers import DockerLauncher, JobState, Limits
from airflow_mlplat.launchers.container import PYTHON
from airflow_mlplat.launchers.follow import last_words
from tests.proofs.conftest import ROOT, Proof

GONE_SECONDS = 5.0
ENDINGS = ("mark-failed", "clear", "timeout", "deletion")
TIMEOUT_SECONDS = 20  # of the DAGs that have one


@pytest.mark.proof("container-faults", slow=True)
def test_container_faults(proof: Proof, stack: Callable, tmp_path: Path, docker_engine: str, docker_client) -> None:
    from fashion import seed

    home, dags = tmp_path / "home", tmp_path / "dags"
    shutil.copytree(ROOT / "tests/proofs/dags", dags)
    shutil.copytree(ROOT / "dags/models", dags / "models")
    seed(home / "sources/fashion", 600, 100)
    connection = {"conn_type": "sqlite", "host": str(home / "sources/fashion/fashion.db")}
    extra = {"AIRFLOW_CONN_FASHION": json.dumps(connection), "DOCKER_HOST": docker_engine}
    airflow = stack("home", dags=dags, extra=extra)
    told = 0
    for waits in ("deferred", "waiting"):
        for ending in ENDINGS:
            given_up = GivenUp(airflow, docker_client, waits, ending)
            seconds = given_up.seconds()
            proof.row(
                seconds, f"s until the container is gone, {ending}, {waits}", f"<= {GONE_SECONDS:g}", seconds <= 5
            )
            told += given_up.told()
    proof.row(told, "of 6 logs of tasks that are still there say how the job ended", "6", told == 6)
    airflow.stop()

    faults, right = Faults(tmp_path, docker_engine, docker_client), 0
    print("\nfault | retried | what the user reads", flush=True)
    for name, retried, words in FAULTS:
        error = faults.make(name)
        good = isinstance(error, MlplatError) and words in str(error) and isinstance(error, UserError) != retried
        right += good
        text = str(error).split(" Its last log lines")[0]
        print(f"{name} | {'yes' if retried else 'no'} | {text}{'' if good else '   <-- WRONG'}", flush=True)
    proof.row(
        right, "faults told with what to do, and retried only if that can help", f"{len(FAULTS)}", right == len(FAULTS)
    )


class GivenUp:
    """A training in a container whose task ends before it."""

    def __init__(self, airflow, docker, waits: str, ending: str) -> None:
        self.airflow, self.docker, self.waits, self.ending = airflow, docker, waits, ending
        self.dag = f"faults_{waits}" + ("_timed" if ending == "timeout" else "")
        self.run = ""

    def seconds(self) -> float:
        """From the end of the task to that of its container."""
        self.airflow.await_dag(self.dag)
        runs = f"/api/v2/dags/{self.dag}/dagRuns"
        self.run = self.airflow.request("POST", runs, {"logical_date": None})["dag_run_id"]
        end = time.monotonic() + 180
        while not self.living() or self.task()["state"] not in ("running", "deferred"):
            assert time.monotonic() < end, f"{self.dag}: no training started; see {self.airflow.folder}/logs"
            time.sleep(0.05)
        if self.ending != "timeout":
            time.sleep(3)
        (container,) = self.living()
        began = time.monotonic()
        self.end(runs)
        while container["Id"] in [found["Id"] for found in self.living()]:
            assert time.monotonic() < began + 120, f"{self.dag}, {self.ending}: the container lives"
            time.sleep(0.05)
        if self.ending == "timeout":
            # Counted from when the timeout says, which is seconds after the task's start.
            return max(0.0, time.time() - self.started() - TIMEOUT_SECONDS)
        seconds = time.monotonic() - began
        if self.ending == "clear":  # which started the training again
            self.airflow.request("PATCH", f"{runs}/{self.run}", {"state": "failed"})
        return seconds

    def end(self, runs: str) -> None:
        """End the task, in one of the ways."""
        if self.ending == "mark-failed":
            path = f"{runs}/{self.run}/taskInstances/train"
            self.airflow.request("PATCH", path, {"new_state": "failed"})
        elif self.ending == "clear":
            body = {"dry_run": False, "task_ids": ["train"], "dag_run_id": self.run, "only_failed": False}
            self.airflow.request("POST", f"/api/v2/dags/{self.dag}/clearTaskInstances", body)
        elif self.ending == "deletion":
            # Airflow deletes no run at work: it is failed first.
            self.airflow.request("PATCH", f"{runs}/{self.run}", {"state": "failed"})
            self.airflow.request("DELETE", f"{runs}/{self.run}")

    def task(self) -> dict:
        """The training's task instance."""
        return self.airflow.request("GET", f"/api/v2/dags/{self.dag}/dagRuns/{self.run}/taskInstances/train")

    def started(self) -> float:
        """When the task started its job, in seconds since 1970: the job's lease is made then."""
        (spec,) = [
            path
            for path in self.airflow.home.glob("jobs/*/told/launch.json")
            if json.loads(path.read_text())["labels"].get("run_id") == self.run
            and '"train"' in path.parent.with_name("spec.json").read_text()
        ]
        return spec.stat().st_mtime

    def living(self) -> list[dict]:
        """Running containers of the training."""
        labels = [f"dag_id={self.dag}", f"run_id={self.run}", "task_id=train"]
        return self.docker.containers(filters={"label": labels})

    def told(self) -> bool:
        """Whether the task's log says how its job ended; a deleted run has none."""
        if self.ending == "deletion":
            return False
        words = "execution_timeout" if self.ending == "timeout" and self.waits == "deferred" else "was cancelled"
        end = time.monotonic() + 30
        folder = self.airflow.folder / "logs"
        while time.monotonic() < end:
            for path in folder.rglob("*"):
                if path.is_file() and self.run.split(":")[0] in str(path) and words in path.read_text(errors="replace"):
                    return True
            time.sleep(0.5)
        print(f"{self.dag}, {self.ending}: no {words!r} in {folder}", flush=True)
        return False


FAULTS = (
    ("no such image", True, "the registry of images does not answer"),
    ("an image that is not ours", False, "has no airflow-mlplat in it"),
    ("an image of another contract version", True, "expected 1; got 99"),
    ("the image was removed", False, "the image is not there any more"),
    ("out of memory", False, "over its memory limit of 64 MiB"),
    ("out of time", True, "at its time limit of 1 s"),
    ("forks without bound", True, "Resource temporarily unavailable"),
    ("GPU required but absent", False, "has no GPU to give"),
    ("no such network", False, "has no such network"),
    ("more processors than there are", False, "limits cpus is more than"),
    ("no Docker Engine", True, "does not answer"),
    ("the Docker Engine was restarted", True, "was stopped from outside"),
    ("docker kill", True, "killed by signal 9"),
    ("docker rm", True, "lost its container"),
    ("disk full", True, "is full"),
    ("the store is not on the engine's machine", False, "does not see a folder of ours"),
    ("the store is beyond the network", False, "has no network of itself"),
    ("a bad option", False, "Did you mean 'epochs'?"),
    ("a build file that exits", False, "SystemExit: 1"),
)
"""Fault, whether a retry can help, part of what is told."""


class Faults:
    """Makes the faults, each with a launcher of its own."""

    def __init__(self, folder: Path, url: str, docker) -> None:
        self.folder, self.url, self.docker = folder / "faults", url, docker
        self.image = docker.inspect_image("airflow-mlplat/prep:latest")["Id"]
        self.count = 0

    def launcher(self, code: str = "", url: str | None = None, **options) -> DockerLauncher:
        """One whose jobs run Python code, or the runtime."""
        from docker import APIClient

        self.count += 1
        if code:
            options["command"] = lambda *_: [PYTHON, "-c", code]
        where = options.pop("jobs", self.folder / str(self.count))
        return DockerLauncher(where, lambda: APIClient(base_url=url or self.url, version="1.41"), **options)

    def spec(self, **changes) -> JobSpec:
        """Of a job in the prep image."""
        return dataclasses.replace(JobSpec("test", "x", "/nowhere", "c", self.image), **changes)

    def make(self, name: str) -> Exception | None:
        """Make one; returns what is raised."""
        try:
            return getattr(self, name.replace(" ", "_").replace("'", "").replace("-", "_").lower())()
        except MlplatError as error:
            return error

    def ended(self, launcher: DockerLauncher, spec: JobSpec | None = None, limits: Limits | None = None):
        """Run a job to its end; the error of its result, as the task raises it."""
        handle = launcher.submit(spec or self.spec(), limits)
        return self.result(launcher, handle)

    def result(self, launcher: DockerLauncher, handle):
        """As a task takes it."""
        end = time.monotonic() + 60
        while launcher.state(handle) is JobState.RUNNING and time.monotonic() < end:
            time.sleep(0.1)
        error = launcher.result(handle).error
        if error is None:
            return None
        return (UserError if error.kind == "user" else MlplatError)(last_words(launcher, handle).rstrip("."))

    def no_such_image(self):
        return self.launcher(images="airflow-mlplat.invalid/{name}:1").image("caffe")

    def an_image_that_is_not_ours(self):
        return self.launcher(images="debian:bullseye-slim").image(None)

    def an_image_of_another_contract_version(self):
        labels = ["LABEL airflow-mlplat.code-version=c", "LABEL airflow-mlplat.contract-version=99"]
        self.docker.import_image_from_data(b"\0" * 1024, "airflow-mlplat/contract-99", "1", labels)
        return self.launcher(images="airflow-mlplat/contract-99:1").image(None)

    def the_image_was_removed(self):
        return self.ended(self.launcher(), self.spec(image="sha256:" + "0" * 64))

    def out_of_memory(self):
        return self.ended(self.launcher("x = b'x' * (1 << 30)"), limits=Limits(memory_bytes=64 << 20))

    def out_of_time(self):
        return self.ended(self.launcher("import time; time.sleep(60)"), limits=Limits(timeout_seconds=1))

    def forks_without_bound(self):
        return self.ended(self.launcher("import os\nwhile True: os.fork()"), limits=Limits(processes=50))

    def gpu_required_but_absent(self):
        return self.ended(self.launcher(), self.spec(image=self.image + "+gpu"), Limits(gpu="required"))

    def no_such_network(self):
        return self.ended(self.launcher(), limits=Limits(network="nowhere"))

    def more_processors_than_there_are(self):
        return self.ended(self.launcher(), limits=Limits(cpus=4096))

    def no_docker_engine(self):
        return self.ended(self.launcher(url="tcp://127.0.0.1:1"))

    def the_docker_engine_was_restarted(self):
        from docker import APIClient

        home = tempfile.mkdtemp(prefix="mlplat-")  # short: paths of sockets may have 107 bytes
        script, env = ROOT / "tests/services/docker", {**os.environ, "SERVICES_HOME": home}
        url = subprocess.check_output([script, "start"], text=True, env=env).strip()
        try:
            engine = APIClient(base_url=url)
            engine.load_image(self.docker.get_image("airflow-mlplat/prep:latest"))
            launcher = self.launcher("import time; print('at work'); time.sleep(60)", url)
            handle = launcher.submit(self.spec())
            self.until_at_work(launcher, handle)
            for verb in ("stop", "start"):
                subprocess.run([script, verb], env=env, check=True, stdout=subprocess.DEVNULL)
            return self.result(launcher, handle)
        finally:
            subprocess.run([script, "stop"], env=env, check=True)
            shutil.rmtree(home, ignore_errors=True)

    def docker_kill(self):
        return self.gone(self.docker.kill)

    def docker_rm(self):
        return self.gone(lambda name: self.docker.remove_container(name, force=True))

    def gone(self, how: Callable[[str], object]):
        """A container that somebody else ends."""
        launcher = self.launcher("import time; print('at work'); time.sleep(60)")
        handle = launcher.submit(self.spec())
        self.until_at_work(launcher, handle)
        (found,) = self.docker.containers(filters={"label": f"airflow-mlplat.installation={launcher.installation}"})
        how(found["Id"])
        return self.result(launcher, handle)

    def until_at_work(self, launcher: DockerLauncher, handle) -> None:
        while "at work" not in launcher.logs(handle, 0)[0]:
            time.sleep(0.05)

    def disk_full(self):
        jobs = self.folder / "small"
        jobs.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", jobs], check=True)
        try:
            code = "open('big', 'wb').write(b'x' * (8 << 20))"
            return self.ended(self.launcher(code, jobs=jobs))
        finally:
            subprocess.run(["umount", jobs], check=True)

    def the_store_is_not_on_the_engines_machine(self):
        return self.ended(self.launcher(grant=lambda *_: Path("/nowhere/store")))

    def the_store_is_beyond_the_network(self):
        return self.ended(self.launcher(), self.spec(store="https://example.org/store"))

    def a_bad_option(self):
        return self.in_a_store("train", {"shape": [8, 8, 1], "epoch": 3})

    def a_build_file_that_exits(self):
        return self.in_a_store("train", {"shape": [8, 8, 1]}, b"def build(params): raise SystemExit(1)")

    def in_a_store(self, stage: str, params: dict, build: bytes = b""):
        """A real job, by the runtime, on a small dataset."""
        from airflow_mlplat.hooks.launchers import readable
        from airflow_mlplat.store import Sample, SpanWriter, open_store

        store = open_store(self.folder / f"store-{self.count}")
        with SpanWriter(store, "x", "2026-01-01", ["a", "b"]) as writer:
            for number in range(4):
                writer.add(Sample(str(number), b"media", number % 2, None))
            span = writer.commit()
        image = self.docker.inspect_image("airflow-mlplat/mxnet:latest")["Id"]
        files = {"build.py": store.put_blob(build)}
        inputs = {"dataset": [span]}
        work = self.spec(
            stage=stage, store=store.url, params=params, inputs=inputs, files=files, framework="mxnet", image=image
        )
        return self.ended(self.launcher(grant=readable), work)
