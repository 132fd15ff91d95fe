"""Jobs in the frameworks' own environments."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from airflow_mlplat.contract import CHECKPOINTS, WORKER, WORKER_CHECKPOINTS, WORKERS, JobResult, JobSpec, Ref
from airflow_mlplat.stages import STAGES, Job
from airflow_mlplat.store import Sample, SpanWriter, Store, npy_bytes, open_store

ROOT = Path(__file__).resolve().parents[3]
CLASSES = [str(n) for n in range(10)]
TRAINING, TESTING = range(1400), range(1400, 1797)

# As the launcher does it: the environment holds the framework alone.
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def python(request, root) -> str:
    """The interpreter of the test module's framework; absent, its tests are skipped."""
    path = root / ".venvs" / request.module.FRAMEWORK / "bin/python"
    if not path.exists():
        told = f"{path} is absent; make it with scripts/setup {request.module.FRAMEWORK}"
        if os.environ.get("MLPLAT_TEST_FORBID_SKIPS") == "1":
            pytest.fail(told)
        pytest.skip(told)
    return str(path)


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Workplace:
    """A store with digits, and jobs on them.

    Args:
        folder: Of store and jobs.
        framework: What trains.
        python: Its interpreter.
    """

    def __init__(self, folder: Path, framework: str, python: str) -> None:
        self.folder, self.framework, self.python = folder, framework, python
        self.store: Store = open_store(folder / "store")

    def dataset(self, digits, name: str, rows: range) -> Ref:
        """A committed dataset of digits."""
        images, labels = digits
        with SpanWriter(self.store, name, "2026-01-01", CLASSES) as writer:
            for row in rows:
                writer.add(Sample(f"{row:05d}", npy_bytes(images[row]), int(labels[row])))
            span = writer.commit()
        spec = self.spec("dataset", name=name, inputs={"spans": [span]})
        return STAGES["dataset"](Job(spec, self.store, self.folder, None, logging.getLogger())).outputs["dataset"]

    def spec(self, stage: str, *, build: str | None = None, name: str = "digits", **rest) -> JobSpec:
        """A spec of the framework."""
        files = {} if build is None else {"build.py": self.store.put_blob(build.encode())}
        return JobSpec(
            stage, name, self.store.url, code_version="c", image="i", framework=self.framework, files=files, **rest
        )

    def write(self, spec: JobSpec, directory: str) -> Path:
        """Put a spec into a job's directory."""
        path = self.folder / directory / "spec.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(spec.to_json()))
        return path

    def start(self, spec: JobSpec, directory: str, told: Mapping[str, str] | None = None) -> subprocess.Popen:
        """Start a job, with its log on stdout; `told` is the launcher's part of its environment."""
        command = [self.python, "-m", "airflow_mlplat.runtime", str(self.write(spec, directory))]
        env = {**ENV, **(told or {})}
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def start_workers(
        self, spec: JobSpec, directory: str, stores: Mapping[int, str] | None = None
    ) -> list[subprocess.Popen]:
        """Start each worker of a job in `DIRECTORY-RANK`, with its log on stdout; some maybe with another store."""
        specs = [dataclasses.replace(spec, store=(stores or {}).get(rank, spec.store)) for rank in range(spec.workers)]
        addresses, checkpoints = ",".join(f"localhost:{port}" for port in free_ports(spec.workers)), f"{directory}-0"
        told = {WORKERS: addresses, WORKER_CHECKPOINTS: str(self.folder / checkpoints / CHECKPOINTS)}
        return [self.start(own, f"{directory}-{rank}", {**told, WORKER: str(rank)}) for rank, own in enumerate(specs)]

    def run_workers(self, spec: JobSpec, directory: str) -> list[JobResult]:
        """Run all workers of a job to their end; what each left."""
        jobs = self.start_workers(spec, directory)
        try:
            for job in jobs:
                print(job.communicate(timeout=100)[0])
        finally:
            for job in jobs:
                job.kill()
        return [self.result(f"{directory}-{rank}") for rank in range(spec.workers)]

    def run(self, *specs: JobSpec) -> list[JobResult]:
        """Run jobs one after the other, in one process of the framework: importing it takes longest."""
        paths = [self.write(spec, spec.key) for spec in specs]
        code = "import sys, pathlib; from airflow_mlplat.runtime.runner import run_file\n"
        code += "for path in sys.argv[1:]: run_file(pathlib.Path(path))"
        subprocess.run([self.python, "-c", code, *map(str, paths)], env=ENV, check=True, timeout=280)
        return [self.result(path.parent.name) for path in paths]

    def result(self, directory: str) -> JobResult:
        """What a job left."""
        return JobResult.from_json(json.loads((self.folder / directory / "result.json").read_text()))

    def train(self, dataset: Ref, build: str, **options) -> JobSpec:
        """The spec of a training."""
        params = {"shape": [8, 8, 1], "batch_size": 32, "learning_rate": 0.002, **options}
        return self.spec("train", build=build, inputs={"dataset": [dataset]}, params=params)


@pytest.fixture(scope="module")
def work(request, python, tmp_path_factory) -> Workplace:
    """A workplace that the module's tests share; each spec is of its own."""
    framework = request.module.FRAMEWORK
    return Workplace(tmp_path_factory.mktemp(framework), framework, python)


@pytest.fixture(scope="module")
def training(work, digits) -> Ref:
    """1400 digits."""
    return work.dataset(digits, "digits", TRAINING)


@pytest.fixture(scope="module")
def testing(work, digits) -> Ref:
    """397 other digits."""
    return work.dataset(digits, "digits-test", TESTING)
