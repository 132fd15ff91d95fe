"""Kills, evictions and damaged files under trainers that share a cache and streams: no wrong byte, no leak."""

from __future__ import annotations

import fcntl
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.data.shared.folder import sweep
from airflow_mlplat.store import Sample, SpanWriter, open_store
from tests.proofs.conftest import ROOT, Proof

CLIENT = Path(__file__).parent / "soak_client.py"
SECONDS = float(os.environ.get("PROOF_SECONDS", "600"))
SAMPLES, SHARD_BYTES, SHARDS_KEPT = 6000, 1 << 20, 9
"""Of some 24 shards the cache keeps nine: evictions go on all the time."""
TRAINERS = (("own", 1), ("shared", 2), ("shared", 2), ("own", 3))
"""How each reads, and its seed. The first two are never killed: their threads and files are watched."""
WATCHED = 2


class Soak:
    """The trainers, what they share, and what is done to them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.random = folder, random.Random(4)
        self.cache, self.logs = folder / "cache", folder / "logs"
        self.logs.mkdir(parents=True)
        self.trainers: dict[int, subprocess.Popen] = {}
        self.done = dict.fromkeys(
            ("trainers killed", "servers killed", "files truncated", "bits flipped", "removed"), 0
        )
        self.over = self.looks = 0
        self.deaths: list[str] = []
        self.servers: set[int] = set()
        self._make_store()
        server = [sys.executable, ROOT / "benchmarks/range_server.py", folder / "store"]
        self.web = subprocess.Popen(server, stdout=subprocess.PIPE, text=True)
        self.url = self.web.stdout.readline().strip()
        self.max_bytes = SHARDS_KEPT * (SHARD_BYTES + 8192)

    def _make_store(self) -> None:
        images = np.random.RandomState(0).randint(0, 256, (SAMPLES, 32, 32, 3)).astype(np.uint8)
        with SpanWriter(open_store(self.folder / "store"), "noise", "2026-01-01", ["0"], SHARD_BYTES) as writer:
            for number, image in enumerate(images):
                buffer = io.BytesIO()
                np.save(buffer, image)
                writer.add(Sample(f"{number:06d}", buffer.getvalue(), 0))
            self.ref = writer.commit()
        weights = np.arange(1, images[0].size + 1, dtype=np.uint64)
        np.save(self.folder / "expected.npy", (images.reshape(SAMPLES, -1) * weights).sum(axis=1))

    def start(self, number: int) -> None:
        """Start a trainer."""
        how, seed = TRAINERS[number]
        told = {
            "log": str(self.logs / f"{number}.jsonl"), "store": self.url, "ref": self.ref.to_json(), "seed": seed,
            "cache": str(self.cache), "max_bytes": self.max_bytes, "expected": str(self.folder / "expected.npy"),
            "shared": how == "shared",
        }  # fmt: skip
        command = [sys.executable, CLIENT, json.dumps(told)]
        with (self.logs / f"{number}.txt").open("ab") as errors:
            env = {**os.environ, "PYTHONPATH": str(ROOT)}
            self.trainers[number] = subprocess.Popen(command, env=env, stderr=errors, stdout=errors)

    def run(self, seconds: float) -> None:
        """Let them read, and be a nuisance."""
        for number in range(len(TRAINERS)):
            self.start(number)
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(ended,))
        watcher.start()
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(self.random.uniform(0.2, 1.2))
                self._look_after()
                self.random.choice(NUISANCES)(self)
        finally:
            ended.set()
            watcher.join()
            for trainer in self.trainers.values():
                trainer.kill()
                trainer.wait()

    def _look_after(self) -> None:
        for number, trainer in list(self.trainers.items()):
            if trainer.poll() is not None:
                self.deaths.append(f"trainer {number}: {trainer.returncode}")
                self.start(number)

    def _watch(self, ended: threading.Event) -> None:
        while not ended.wait(0.01):
            self.looks += 1
            self.over += self.disk() > self.max_bytes

    def disk(self) -> int:
        """Bytes that the cached shards take, at one moment: what is evicted or renamed meanwhile would count twice."""
        shards = self.cache / "shards"
        try:
            with (shards / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                files = [path.stat() for path in shards.iterdir() if path.suffix in (".tar", ".part")]
        except FileNotFoundError:  # there is no cache yet, or a file was just removed by us
            return 0
        return sum(file.st_blocks * 512 for file in files)

    def _shard(self) -> Path | None:
        found = sorted((self.cache / "shards").glob("*.tar"))
        return self.random.choice(found) if found else None

    def kill_trainer(self) -> None:
        number = self.random.randrange(WATCHED, len(TRAINERS))
        self.trainers[number].kill()
        self.trainers[number].wait()
        self.done["trainers killed"] += 1
        self.start(number)

    def kill_server(self) -> None:
        living = self.stream_servers()
        if living:
            os.kill(self.random.choice(living), signal.SIGKILL)
            self.done["servers killed"] += 1

    def stream_servers(self) -> list[int]:
        """Processes that serve our streams: their command names our folder."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes() if entry.name.isdecimal() else b""
            except OSError:
                continue
            if b"data.shared.server" in command and str(self.cache).encode() in command:
                found.append(int(entry.name))
        return found

    def truncate(self) -> None:
        """As a host that lost power leaves a file. In the file's place: who has the old one mapped keeps it."""
        shard = self._shard()
        if shard is not None:
            part = self.folder / "truncated"
            with (self.cache / "shards/lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # else it may be evicted meanwhile, and we fill the disk
                if shard.exists():
                    part.write_bytes(shard.read_bytes()[: self.random.randrange(SHARD_BYTES)])
                    part.replace(shard)
                    self.done["files truncated"] += 1

    def flip(self) -> None:
        """As a disk that forgets: one bit of a file that is in use."""
        shard = self._shard()
        if shard is not None:
            try:
                with shard.open("r+b") as file:
                    at = self.random.randrange(shard.stat().st_size or 1)
                    file.seek(at)
                    byte = file.read(1)
                    file.seek(at)
                    file.write(bytes([byte[0] ^ 4]) if byte else b"")
            except FileNotFoundError:
                return
            self.done["bits flipped"] += 1

    def remove(self) -> None:
        shard = self._shard()
        if shard is not None:
            shard.unlink(missing_ok=True)
            self.done["removed"] += 1

    def lines(self, number: int) -> list[dict]:
        """What a trainer wrote."""
        path = self.logs / f"{number}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def end(self) -> None:
        """End what is left, and the web server."""
        deadline = time.monotonic() + 60
        while self.stream_servers() and time.monotonic() < deadline:
            time.sleep(0.1)
        sweep(self.cache / "streams")  # as whoever shares batches next does: of servers that were killed
        self.web.terminate()
        self.web.communicate()


NUISANCES: tuple[Callable[[Soak], None], ...] = (
    Soak.kill_trainer, Soak.kill_trainer, Soak.kill_server, Soak.truncate, Soak.flip, Soak.remove,
)  # fmt: skip


@pytest.mark.proof("soak", slow=True)
def test_soak(proof: Proof, tmp_path: Path) -> None:
    segments = set(Path("/dev/shm").iterdir())
    soak = Soak(tmp_path / "soak")
    try:
        soak.run(SECONDS)
    finally:
        soak.end()
    lines = [soak.lines(number) for number in range(len(TRAINERS))]
    samples = sum(line["samples"] for each in lines for line in each)
    wrong = sum(line["wrong"] for each in lines for line in each)
    short = sum(not line["samples"] == line["distinct"] == SAMPLES for each in lines for line in each)
    told = ", ".join(f"{count} {what}" for what, count in soak.done.items())
    proof.row(wrong, f"wrong batches of {samples:,} samples in {SECONDS:.0f} s", "0", wrong == 0 < samples, told)
    proof.row(short, "epochs with a sample lost or repeated", "0", short == 0)
    died = "; ".join(soak.deaths[:3])
    proof.row(len(soak.deaths), "trainers that ended by themselves", "0", not soak.deaths, died)
    share = f"{soak.over} of {soak.looks}"
    proof.row(share, "looks at the disk above the cache's bound", "0", soak.over == 0 < soak.looks)
    for number, (how, _) in enumerate(TRAINERS[:WATCHED]):
        for what in ("threads", "files"):
            counts = [line[what] for line in lines[number]]
            grown = max(counts[len(counts) // 2 :]) - max(counts[: max(1, len(counts) // 2)])
            note = f"after {len(counts)} epochs of the trainer with {how} batches: {counts[-1]}"
            proof.row(grown, f"more {what} in the second half than in the first", "<= 0", grown <= 0, note)
    left = [*soak.stream_servers(), *(set(Path("/dev/shm").iterdir()) - segments), *(soak.cache / "streams").glob("*")]
    proof.row(len(left), "servers, segments or streams left", "0", not left, ", ".join(map(str, left))[:200])
