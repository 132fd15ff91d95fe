"""What a dataset version of many samples costs: to open, to build, and to make grow. Each in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mlplat.contract import JobSpec, Ref
from airflow_mlplat.data import BatchIterator, IteratorOptions, decode
from airflow_mlplat.store import Samples, Store, open_store
from benchmarks.manifests import NAME, SIDE, png


@dataclass(frozen=True)
class Built:
    """One run of stage `dataset`.

    Args:
        dataset: What it made.
        seconds: From the start of its process to its end.
        cpu_seconds: Of that process, with its threads.
    """

    dataset: Ref
    seconds: float
    cpu_seconds: float


class Build:
    """Stage `dataset` in a process of its own, as a launcher starts it.

    Args:
        store: Of the spans.
        spans: To build of, in order.
        folder: Of the job; made.
    """

    def __init__(self, store: Store, spans: list[Ref], folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True)
        spec = JobSpec("dataset", NAME, store.url, code_version="bench", image="bench", inputs={"spans": spans})
        (folder / "spec.json").write_text(json.dumps(spec.to_json()))
        self._started = time.monotonic()
        with (folder / "log.txt").open("wb") as log:
            command = [sys.executable, "-m", "airflow_mlplat.runtime", folder / "spec.json"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    @property
    def runs(self) -> bool:
        """Whether it is under way."""
        if self._process.returncode is not None:
            return False
        # Not `poll`: it would take what `wait` asks the system for.
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def wait(self) -> Built:
        """Its result; SystemExit with its log if it fails."""
        _, status, used = os.wait4(self._process.pid, 0)
        seconds = time.monotonic() - self._started
        self._process.returncode = status
        if status:
            sys.exit((self._folder / "log.txt").read_text())
        result = json.loads((self._folder / "result.json").read_text())
        return Built(Ref.from_json(result["outputs"]["dataset"]), seconds, used.ru_utime + used.ru_stime)


def linked(store: Store, folder: Path) -> Store:
    """A store with the same spans and nothing else, its shards linked to those of the other."""
    for part in ("shards", "manifests/span"):
        shutil.copytree(store.backend.local_path(part), folder / part, copy_function=os.link)
    return open_store(folder)


def first_batch(store: Store, dataset: Ref) -> dict[str, Any]:
    """Opening a dataset and taking the first batch of its global order, in a fresh process.

    Returns:
        `open_seconds`, `seconds` (both from after the imports) and `peak_mb` of the process, imports and all.
    """
    command = [sys.executable, "-m", "benchmarks.growth", store.url, json.dumps(dataset.to_json())]
    return json.loads(subprocess.check_output(command, cwd=Path(__file__).parent.parent))


def _first_batch(url: str, dataset: str) -> None:
    store, ref = open_store(url), Ref.from_json(json.loads(dataset))
    decode(png(bytes(SIDE * SIDE)), (SIDE, SIDE, 1))  # imports what decodes
    started = time.monotonic()
    samples = Samples(store, ref)
    opened = time.monotonic() - started
    with BatchIterator(samples, IteratorOptions(batch_size=64, shape=(SIDE, SIDE, 1))) as batches:
        batch = next(iter(batches))
        seconds = time.monotonic() - started
    # Not ru_maxrss, which a process has from the one that started it (getrusage(2): kept across execve).
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) / 1024
    found = {"samples": len(samples), "batch": len(batch), "open_seconds": opened, "seconds": seconds, "peak_mb": peak}
    print(json.dumps(found))


if __name__ == "__main__":
    _first_batch(*sys.argv[1:])
