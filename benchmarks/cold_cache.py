"""Epochs from a distant store through caches: ours, fsspec's, and obstore, which has none. Every sample is checked."""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.images import CLASSES, Images
from benchmarks.peers import OURS
from benchmarks.prepare import CACHE, ROOT, clean_environment, images, python
from benchmarks.report import Row

KINDS = {
    OURS: "ours",
    "fsspec filecache": "filecache",
    "fsspec simplecache": "simplecache",
    "fsspec blockcache": "blockcache",
    "obstore": "obstore",
    "no network, mapped": "local",
}
"""Shown name → kind of `cache_epoch`."""
COLD, PAIR, WARM = "Cold epoch, one process", "Cold epoch, two processes with one cache", "Warm epoch, one process"
SHARDS = 20
OBSTORE_SHARE = 16
"""It reads one batch in so many, and is said to take so many times as long: it keeps nothing between batches."""
BATCH = 64
"""As in `cache_epoch`."""
LATENCY_SECONDS, BANDWIDTH = 0.02, 100e6


def rows(options: argparse.Namespace) -> list[Row]:
    """Measure them all, in rounds.

    Args:
        options: `count` and `rounds`, as `benchmarks.__main__` has them; more than 8000 images tell nothing new.
    """
    place = CACHE / "cold-cache"
    shutil.rmtree(place, ignore_errors=True)
    done: dict[tuple[str, str], list[dict[str, Any]]] = {}
    try:
        span, size = write(images(min(options.count, 8000)), place / "store")
        with server(place / "store") as url:
            shares = {"obstore": max(1, min(OBSTORE_SHARE, options.count // BATCH // 2))}
            for number in range(options.rounds):
                for name in [*KINDS][number % len(KINDS) :] + [*KINDS][: number % len(KINDS)]:
                    for title, found in _epochs(KINDS[name], shares.get(KINDS[name], 1), place, span, url):
                        done.setdefault((title, name), []).append(found)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return [_row(title, name, done[title, name], size) for title in (COLD, PAIR, WARM) for name in KINDS]


def write(source: Path, store: Path) -> tuple[str, int]:
    """The set as a span of some `SHARDS` shards: its digest, and the bytes of all shards."""
    from airflow_mlplat.store import Sample, SpanWriter, open_store

    found = Images(source)
    media = [found.media(number) for number in range(len(found))]
    opened = open_store(store)
    most = sum(map(len, media)) // (SHARDS - 2)
    with SpanWriter(opened, "media", "2026-01-01", list(map(str, range(CLASSES))), shard_bytes=most) as writer:
        for number, file in enumerate(media):
            writer.add(Sample(f"{number:08d}", file, int(found.labels[number])))
        ref = writer.commit()
    return ref.digest, sum(shard["bytes"] for shard in opened.manifest(ref)["shards"])


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The URL of a server of a folder, in a process of its own."""
    process = _start("range_server", folder, "--latency-seconds", LATENCY_SECONDS, "--bandwidth", BANDWIDTH)
    try:
        yield process.stdout.readline().strip()  # type: ignore[union-attr]
    finally:
        process.terminate()
        process.communicate()


def _epochs(kind: str, part: int, place: Path, span: str, url: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Cold, warm, and cold with two processes; of one batch in `part`."""
    cache = place / "cache"
    for title, shares in ((COLD, ["0/1"]), (WARM, ["0/1"]), (PAIR, ["0/2", "1/2"])):
        if title != WARM:
            shutil.rmtree(cache, ignore_errors=True)
        before = _sent(url)
        wide = [f"{index}/{int(count) * part}" for index, count in (share.split("/") for share in shares)]
        arguments = (place / "store", span, url)
        if kind == "obstore":
            processes = [_start("obstore_epoch", *arguments, "--share", share) for share in wide]
        else:
            processes = [_start("cache_epoch", kind, *arguments, cache, "--share", share) for share in wide]
        found = [json.loads(_end(process)) for process in processes]
        yield (
            title,
            {
                "share": part,
                "seconds": part * max(one["seconds"] for one in found),
                "read": part * sum(one["read"] for one in found),
                "wrong": sum(one["wrong"] for one in found),
                "sent": part * (_sent(url) - before),
            },
        )
    shutil.rmtree(cache, ignore_errors=True)


def _start(module: str, *arguments: object) -> subprocess.Popen[str]:
    command = [str(python("bench")), "-m", f"benchmarks.{module}", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _end(process: subprocess.Popen[str]) -> str:
    printed, said = process.communicate(timeout=600)
    if process.returncode:
        raise RuntimeError(f"{process.args} ended with {process.returncode}: {said[-2000:]}")
    return printed.splitlines()[-1]


def _sent(url: str) -> int:
    with urllib.request.urlopen(f"{url}/.sent", timeout=30) as answer:
        return json.load(answer)["bytes"]


def _row(title: str, name: str, epochs: list[dict[str, Any]], size: int) -> Row:
    seconds = [epoch["seconds"] for epoch in epochs]
    sent, wrong = statistics.median(epoch["sent"] for epoch in epochs), sum(epoch["wrong"] for epoch in epochs)
    samples = sum(epoch["read"] for epoch in epochs)
    note = f"sent {sent / size:.2f} of the shards' bytes; {wrong} of {samples} samples wrong"
    share = epochs[0]["share"]
    return {
        "part": title,
        "name": name,
        "unit": "s",
        "median": statistics.median(seconds),
        "low": min(seconds),
        "high": max(seconds),
        "rounds": seconds,
        "sent": sent / size,
        "wrong": wrong,
        "note": note + (f"; from one batch in {share}" if share > 1 else ""),
    }
