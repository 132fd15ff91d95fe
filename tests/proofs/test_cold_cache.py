"""Epochs from a distant store through the cache: fast, fetched once, never wrong, never beyond the bound."""

from __future__ import annotations

import fcntl
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from airflow_mlplat.store import Sample, SpanWriter, open_store
from tests.proofs.conftest import ROOT, Proof

SAMPLES, MEDIA_BYTES, SHARD_BYTES = 20_000, (8_000, 25_000), 17_600_000
COLD_ROUNDS, WARM_ROUNDS, KILL_ROUNDS = 5, 21, 50
SAMPLE_SECONDS = 0.01
SECONDS = 120


class Distant:
    """A span in a local store, the same behind a server of 20 ms and 100 MB/s, and a folder for caches."""

    def __init__(self, folder: Path) -> None:
        self.store, self.cache = folder / "store", folder / "cache"
        draw = np.random.RandomState(0)
        with SpanWriter(open_store(self.store), "media", "2026-01-01", ["a", "b"], shard_bytes=SHARD_BYTES) as writer:
            for number in range(SAMPLES):
                media = b"\xff\xd8\xff" + draw.bytes(int(draw.randint(*MEDIA_BYTES)))  # incompressible, as JPEGs are
                writer.add(Sample(f"{number:06d}", media, number % 2))
            self.span = writer.commit()
        self.bytes = sum(shard["bytes"] for shard in open_store(self.store).manifest(self.span)["shards"])
        self._server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.range_server", self.store], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        self.url = self._server.stdout.readline().strip()

    def close(self) -> None:
        """End the server."""
        self._server.terminate()
        self._server.communicate()

    def sent(self) -> int:
        """Bytes that the server sent so far."""
        with urllib.request.urlopen(f"{self.url}/.sent", timeout=30) as answer:
            return json.load(answer)["bytes"]

    def start(self, kind: str, *options: object) -> subprocess.Popen[str]:
        """A process that reads an epoch."""
        command = ["benchmarks.cache_epoch", kind, self.store, self.span.digest, self.url, self.cache, *options]
        return subprocess.Popen([sys.executable, "-m", *map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def epochs(self, kind: str, processes: int = 1) -> list[dict[str, Any]]:
        """What each of several processes that share an epoch tells."""
        started = [self.start(kind, "--share", f"{index}/{processes}") for index in range(processes)]
        return [ended(process) for process in started]

    def forget(self) -> None:
        """Empty the cache."""
        shutil.rmtree(self.cache, ignore_errors=True)


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    return json.loads(out)


@pytest.fixture
def distant(tmp_path: Path) -> Iterator[Distant]:
    """A distant store, removed at the end: it is large."""
    made = Distant(tmp_path)
    yield made
    made.close()
    shutil.rmtree(tmp_path)


class Bound:
    """Looks every 10 ms at what the cache takes of the disk: its files, and deleted ones that a process still holds."""

    def __init__(self, folder: Path) -> None:
        self.most = self.looks = 0
        self.pids: list[int] = []
        self._folder, self._stop = folder, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            if not (self._folder / "lock").exists():
                continue
            with (self._folder / "lock").open("rb") as lock:
                # A moment's state: what is renamed or evicted while it is looked at would be counted twice.
                fcntl.flock(lock, fcntl.LOCK_EX)
                found = [stat for path in self._folder.iterdir() for stat in present(path)]
                found += [stat for pid in self.pids for stat in handles(pid, self._folder)]
            taken = {stat.st_ino: stat.st_blocks * 512 for stat in found}
            self.most, self.looks = max(self.most, sum(taken.values())), self.looks + 1


def present(path: Path) -> list[os.stat_result]:
    """The state of a file, if it is still there."""
    try:
        return [path.stat()]
    except OSError:
        return []


def handles(pid: int, folder: Path) -> list[os.stat_result]:
    """Shards in the folder that a process has open, deleted ones too."""
    found = []
    with suppress(OSError):  # the process has ended
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                if re.match(rf"{re.escape(str(folder))}/\w+\.(tar|part)", str(entry.readlink())):
                    found += present(entry)
    return found


@pytest.mark.proof("cold-cache", slow=True)
def test_cold_cache(proof: Proof, distant: Distant) -> None:
    cold_epochs(proof, distant)
    bytes_sent(proof, distant)
    warm_epochs(proof, distant)
    kills(proof, distant)


def cold_epochs(proof: Proof, distant: Distant) -> None:
    seconds: dict[str, list[float]] = {"ours": [], "filecache": []}
    wrong = 0
    for number in range(COLD_ROUNDS):
        for kind in ("ours", "filecache")[:: 1 if number % 2 else -1]:
            distant.forget()
            (epoch,) = distant.epochs(kind)
            assert epoch["read"] == SAMPLES
            seconds[kind].append(epoch["seconds"])
            wrong += epoch["wrong"] * (kind == "ours")
    ours, theirs = (statistics.median(seconds[kind]) for kind in ("ours", "filecache"))
    proof.row(
        theirs / ours, "x fsspec filecache", ">= 3", theirs / ours >= 3,
        f"cold epoch of {distant.bytes / 1e6:.0f} MB in {ours:.2f} s, theirs {theirs:.2f} s; medians of {COLD_ROUNDS} "
        f"rounds, {min(seconds['ours']):.2f}-{max(seconds['ours']):.2f} and "
        f"{min(seconds['filecache']):.2f}-{max(seconds['filecache']):.2f} s",
    )  # fmt: skip
    proof.row(wrong, f"wrong of {SAMPLES * COLD_ROUNDS} samples", "0", wrong == 0, "each compared with its CRC-32C")


def bytes_sent(proof: Proof, distant: Distant) -> None:
    for processes in (1, 2, 4):
        distant.forget()
        before = distant.sent()
        epochs = distant.epochs("ours", processes)
        share = (distant.sent() - before) / distant.bytes
        right = sum(epoch["read"] - epoch["wrong"] for epoch in epochs)
        proof.row(
            share, "x the shards' bytes sent", "<= 1.02", 0.99 < share <= 1.02 and right == SAMPLES,
            f"{processes} process{'es' if processes > 1 else ''} with one cache; {SAMPLES - right} samples wrong",
        )  # fmt: skip


def warm_epochs(proof: Proof, distant: Distant) -> None:
    seconds: dict[str, list[float]] = {"ours": [], "local": []}
    for number in range(WARM_ROUNDS):
        for kind in ("ours", "local")[:: 1 if number % 2 else -1]:
            (epoch,) = distant.epochs(kind)
            assert (epoch["read"], epoch["wrong"]) == (SAMPLES, 0)
            assert kind == "local" or epoch["stats"]["bytes_fetched"] == 0
            seconds[kind].append(epoch["seconds"])
    ours, local = (statistics.median(seconds[kind]) for kind in ("ours", "local"))
    proof.row(
        local / ours, "x local mmap", ">= 0.95", local / ours >= 0.95,
        f"warm epoch in {ours * 1e3:.0f} ms, a local store's in {local * 1e3:.0f} ms; each in a new process, "
        f"medians of {WARM_ROUNDS} rounds",
    )  # fmt: skip


def kills(proof: Proof, distant: Distant) -> None:
    """Two clients share an epoch in a cache of half its bytes; one dies at a random moment of its reading."""
    distant.forget()
    bound, draw = distant.bytes // 2, random.Random(0)
    looking = Bound(distant.cache)
    wrong = read = evicted = rounds = fetched = 0
    try:
        while rounds < KILL_ROUNDS:
            options = ("--max-bytes", bound, "--epoch", rounds)
            clients = [distant.start("ours", *options, "--share", f"{index}/2") for index in range(2)]
            looking.pids = [client.pid for client in clients]
            victim = clients.pop(draw.randrange(2))
            while victim.poll() is None and not handles(victim.pid, distant.cache):
                time.sleep(0.002)
            time.sleep(draw.uniform(0, 0.8))
            fetching = list(distant.cache.glob("*.part"))
            victim.send_signal(signal.SIGKILL)
            victim.communicate()
            survivor = ended(clients[0])
            wrong, read = wrong + survivor["wrong"], read + survivor["read"]
            evicted += survivor["stats"]["evictions"]
            rounds += victim.returncode == -signal.SIGKILL  # one that had ended before is no round
            fetched += bool(fetching) and victim.returncode == -signal.SIGKILL
    finally:
        looking.close()
    proof.row(
        wrong, f"wrong of {read} samples", "0", wrong == 0 and read > KILL_ROUNDS * SAMPLES // 3 and fetched > 9,
        f"{rounds} rounds with kill -9 of one of two clients, {fetched} while shards were fetched",
    )  # fmt: skip
    proof.row(
        looking.most / bound, "of the byte bound at most", "<= 1", 0.5 < looking.most / bound <= 1 and evicted > 100,
        f"{looking.looks} looks in these rounds, deleted files that are still mapped counted; {evicted} evictions",
    )  # fmt: skip
