"""A span of digits in a store, streams over it, and trainers as processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from airflow_mlplat.data import BatchIterator, IteratorOptions
from airflow_mlplat.data.shared import StreamOptions
from airflow_mlplat.store import Sample, Samples, SpanWriter, open_store

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SECONDS = 60
"""To wait for what must happen, however slow the machine."""
IDLE_SECONDS = 5
"""A busy machine may keep a consumer for seconds from the server that it started."""


def eventually(holds):
    """Wait until a function gives something true, and return that."""
    deadline = time.monotonic() + SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, f"{holds} never held"
        time.sleep(0.02)
    return found


@pytest.fixture(scope="session")
def span(tmp_path_factory, digits, png):
    """(store's URL, reference) of 200 digits in a few shards."""
    store = open_store(tmp_path_factory.mktemp("shared") / "store")
    with SpanWriter(store, "digits", "2026-01-01", [str(i) for i in range(10)], shard_bytes=40_000) as writer:
        for i in range(200):
            writer.add(Sample(f"digit/{i:04d}", png(digits[0][i]), int(digits[1][i]), None))
        ref = writer.commit()
    return store.url, ref


@pytest.fixture(scope="session")
def samples(span):
    return Samples(open_store(span[0]), span[1])


@pytest.fixture
def options():
    """A function that makes options: 25 batches in an epoch."""

    def build(**changed):
        return IteratorOptions(**{"batch_size": 8, "shape": (8, 8, 1), "seed": 4, "prefetch": 2, **changed})

    return build


def servers(directory):
    """Process numbers of the servers of all streams in a directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            words = path.read_bytes().decode(errors="replace").split("\0")
            if words[1:3] == ["-m", "airflow_mlplat.data.shared.server"] and Path(words[3]).parent == directory:
                found.append(int(path.parent.name))
    return found


def end_servers(directory):
    """Tell servers to end, rather than to wait until they had no consumer for long. Whether they are gone."""
    for pid in servers(directory):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    return not directory.exists() or not list(directory.iterdir())


@pytest.fixture
def stream(tmp_path, span):
    """A function that makes stream options; at the end all servers end, and leave nothing."""
    directories = set()

    def build(**changed):
        how = {"directory": tmp_path / "streams", "idle_seconds": IDLE_SECONDS, "start_seconds": SECONDS}
        made = StreamOptions(**{"store": span[0], **how, **changed})
        directories.add(made.directory)
        return made

    yield build
    for directory in directories:
        eventually(lambda directory=directory: end_servers(directory))


def told(batch):
    return [batch.epoch, batch.position, batch.rows.tolist(), batch.digest()]


class SlowDisk:
    """Writes wait until it has leave to go on."""

    def __init__(self):
        self.asked, self.leave, self._write = threading.Event(), threading.Event(), os.pwrite

    def pwrite(self, *how):
        self.asked.set()
        assert self.leave.wait(SECONDS)
        return self._write(*how)


@pytest.fixture
def slow_disk(monkeypatch):
    disk = SlowDisk()
    monkeypatch.setattr(os, "pwrite", disk.pwrite)
    return disk


@pytest.fixture(scope="session")
def plain():
    """A function: what a `BatchIterator` gives, as lists of epoch, position, rows and digest."""

    def run(samples, options, epochs=1, state=None):
        with BatchIterator(samples, options, epochs) as iterator:
            if state:
                iterator.set_state(state)
            return [told(batch) for batch in iterator]

    return run


class Trainer:
    """`trainer.py` in a process of its own."""

    def __init__(self, span, options, stream, epochs, name, **how):
        self.output, self.leave = (Path(stream.directory).parent / f"{name}.{kind}" for kind in ("jsonl", "leave"))
        document = {
            "store": span[0], "ref": span[1].to_json(), "epochs": epochs, "output": str(self.output),
            "leave": str(self.leave), **how,
            "options": {"batch_size": options.batch_size, "shape": options.shape, "seed": options.seed,
                        "prefetch": options.prefetch},
            "stream": {name: str(value) if isinstance(value, Path) else value for name, value in vars(stream).items()
                       if value is not None},
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, HERE / "trainer.py", json.dumps(document)], env={**os.environ, "PYTHONPATH": str(ROOT)}
        )

    def lines(self):
        if not self.output.exists():
            return []
        whole = self.output.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def batches(self):
        return [line for line in self.lines() if isinstance(line, list)]

    def result(self):
        """What it counted, and what it left behind; when it has ended."""
        assert self.process.wait(SECONDS) == 0
        return self.lines()[-1]

    def wait_for(self, batches):
        """Wait until it has so many: a trainer whose `pause` is that then waits until it has leave to `go_on`."""
        eventually(lambda: len(self.batches()) >= batches or self.process.poll() is not None)
        assert self.process.poll() is None
        return self

    def go_on(self):
        self.leave.touch()


@pytest.fixture
def trainer(span, stream):
    """A function that starts a trainer; those that still run at the end are killed."""
    started = []

    def start(options, shared, epochs=2, **how):
        started.append(Trainer(span, options, shared, epochs, f"trainer-{len(started)}", **how))
        return started[-1]

    yield start
    for made in started:
        made.process.kill()
        made.process.wait()
