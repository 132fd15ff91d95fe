"""Every framework is given the same bytes in the same order, whoever goes on, with however many ranks; at once."""

from __future__ import annotations

import io
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, zip_longest

import numpy as np
import pytest

from airflow_mlplat.contract import Ref
from airflow_mlplat.data import BatchIterator, IteratorOptions, batch_digest
from airflow_mlplat.data.orders import order_of
from airflow_mlplat.data.plan import rounds
from airflow_mlplat.store import Sample, Samples, SpanWriter, open_store
from tests.proofs.conftest import ROOT, Proof

ENVIRONMENTS = {
    "numpy": None,
    "tensorflow": "tensorflow",
    "mxnet": "mxnet",
    "torch": "bench",
    "jax": "jax",
    "caffe": "caffe",
}
SAMPLES = 203
BASE = {"batch_size": 8, "shape": [32, 32, 3], "seed": 7}
OPTIONS = {
    "global order": {
        **BASE,
        "augment": [
            {"name": "flip"},
            {"name": "pad_and_crop", "padding": 2},
            {"name": "colour", "brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 10},
            {"name": "erase"},
        ],
    },
    "windowed order": {
        **BASE,
        "window": 2,
        "augment": [
            {"name": "resized_crop"},
            {"name": "rotate", "degrees": 20},
            {"name": "blur", "probability": 0.5},
            {"name": "noise", "sigma": [0, 10]},
        ],
    },
}
ROWS = 10_000_000
ROWS_A_SHARD = 4096
POSITIONS = 100
TRIES = 5
LIMIT_MS = 5.0


def photo(draws: np.random.Generator) -> bytes:
    """A smooth made-up JPEG of some size, a quarter of them grey."""
    from PIL import Image

    height, width = draws.integers(40, 121, 2).tolist()
    coarse = draws.integers(0, 256, (5, 5, 3), np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    (image.convert("L") if draws.random() < 0.25 else image).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Ref]:
    """(store's URL, reference) of made-up photos in several shards."""
    store, draws = open_store(tmp_path_factory.mktemp("photos") / "store"), np.random.default_rng(0)
    with SpanWriter(store, "photos", "2026-01-01", [str(i) for i in range(10)], shard_bytes=50_000) as writer:
        for i in range(SAMPLES):
            writer.add(Sample(f"photo/{i:04d}.jpg", photo(draws), i % 10, None))
        return store.url, writer.commit()


class Frameworks:
    """Runs `one_stream.py` in frameworks' environments, as many at a time as there are cores."""

    def __init__(self, url: str, ref: Ref) -> None:
        self._of = (url, json.dumps(ref.to_json()))

    def run(self, framework: str, options: dict, *more: object) -> dict:
        environment = ENVIRONMENTS[framework]
        python = ROOT / ".venvs" / environment / "bin/python" if environment else sys.executable
        command = [
            python,
            ROOT / "tests/proofs/one_stream.py",
            framework,
            *self._of,
            json.dumps(options),
            *map(str, more),
        ]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    def run_all(self, calls: list[tuple]) -> list[dict]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(lambda call: self.run(*call), calls))


@pytest.mark.proof("one-stream", slow=True)
def test_one_stream(proof: Proof, photos: tuple[str, Ref]) -> None:
    frameworks = Frameworks(*photos)
    samples = Samples(open_store(photos[0]), photos[1])
    for name, options in OPTIONS.items():
        equal_batches(proof, frameworks, samples, name, options)
    for name, options in OPTIONS.items():
        elastic(proof, frameworks, samples, name, options)
    for window in (0, 16):
        resume(proof, window)


def equal_batches(proof: Proof, frameworks: Frameworks, samples: Samples, name: str, options: dict) -> None:
    """A row: adapters whose batches of two epochs are those that the iterator gives here."""
    anew = IteratorOptions(**options, keep_bytes=0)  # the adapters' second epoch is of samples that were kept
    batches = list(BatchIterator(samples, anew, epochs=2))
    expected = [[batch.digest() for batch in batches if batch.epoch == epoch] for epoch in range(3)]
    assert expected[0] != expected[1]
    plain = next(iter(BatchIterator(samples, IteratorOptions(**{**options, "augment": ()}))))
    assert plain.digest() != expected[0][0]  # else nothing was augmented
    runs = dict(zip(ENVIRONMENTS, frameworks.run_all([(framework, options) for framework in ENVIRONMENTS])))
    ways = {
        f"{framework}.{way}": found == expected
        for framework, run in runs.items()
        for way, found in run["found"].items()
    }
    unequal = [way for way, same in ways.items() if not same]
    versions = ", ".join(f"{framework} {run['python']}/{run['numpy']}" for framework, run in runs.items())
    proof.row(
        f"{len(ways) - len(unequal)} of {len(ways)}", f"adapters with equal digests, {name}", "all", not unequal,
        f"{len(batches)} batches of {SAMPLES} JPEGs over 2 epochs, {len(options['augment'])} augmentations; "
        f"Python/numpy: {versions}" + (f"; unequal: {unequal}" if unequal else ""),
    )  # fmt: skip


def elastic(proof: Proof, frameworks: Frameworks, samples: Samples, name: str, options: dict) -> None:
    """A row: the samples that ranks of several frameworks are given, beside those of one rank here."""
    expected, rows = [], []
    for batch in BatchIterator(samples, IteratorOptions(**options), epochs=1):
        rows += batch.rows.tolist()
        expected += [batch_digest(batch.images[i : i + 1], batch.labels[i : i + 1]) for i in range(len(batch))]
    state, found = BatchIterator(samples, IteratorOptions(**options)).get_state(), []
    for ranks, batches in ((("numpy",), 5), (("tensorflow", "mxnet", "torch", "caffe"), 2), (("jax", "numpy"), 0)):
        calls = [
            (framework, {**options, "shard_index": rank, "shard_count": len(ranks)}, json.dumps(state), batches)
            for rank, framework in enumerate(ranks)
        ]
        parts = [run["found"] for run in frameworks.run_all(calls)]
        states = [part["state"] for part in parts]
        assert states == states[:1] * len(ranks)
        state = states[0]
        in_turn = chain.from_iterable(zip_longest(*(part["samples"] for part in parts)))
        found += [digest for digest in in_turn if digest is not None]
    same = sum(one == other for one, other in zip(found, expected))
    whole = found == expected and sorted(rows) == list(range(SAMPLES)) and state["position"] == SAMPLES
    proof.row(
        f"{same} of {SAMPLES}", f"samples at their place, ranks 1→4→2, {name}", "all, each once", whole,
        "1 rank NumPy, then TensorFlow, MXNet, PyTorch, Caffe, then JAX, NumPy; pixels and labels by digest",
    )  # fmt: skip


class TenMillion:
    """Samples of which none costs anything to read: a raw array of 28 by 28 pixels."""

    ref = Ref("dataset", "ten-million", "ab" * 32)
    classes = tuple("0123456789")
    shard_ends = np.append(np.arange(ROWS_A_SHARD, ROWS, ROWS_A_SHARD), ROWS)
    span_ends = np.array([ROWS])
    rows_digest = None

    def __init__(self) -> None:
        buffer = io.BytesIO()
        np.save(buffer, np.zeros((28, 28, 1), np.uint8))
        self._media = buffer.getvalue()

    def __len__(self) -> int:
        return ROWS

    def labels_at(self, rows: np.ndarray) -> np.ndarray:
        return rows % 10

    def key(self, row: int) -> str:
        return str(row)

    def media(self, row: int) -> bytes:
        return self._media

    def media_of(self, rows: np.ndarray) -> Iterator[bytes]:
        return (self._media for _ in rows)

    def will_read(self, shards: np.ndarray) -> None:
        """There is nothing to read."""


def resume(proof: Proof, window: int) -> None:
    """Two rows: from a state to the rows of the first batch, and to the first batch itself."""
    samples, options = TenMillion(), IteratorOptions(window=window)
    start = BatchIterator(samples, options, None).get_state()
    draws = random.Random(1)
    states = [{**start, "epoch": draws.randrange(9), "position": draws.randrange(ROWS)} for _ in range(POSITIONS)]
    for what, once in (("its rows are known", first_rows), ("it is decoded", first_batch)):
        seconds = [min(once(samples, options, state) for _ in range(TRIES)) for state in states]
        most, middle = 1000 * max(seconds), 1000 * statistics.median(seconds)
        proof.row(
            most, f"ms to the first batch, {what}, window {window}", f"<= {LIMIT_MS:g} ms", most <= LIMIT_MS,
            f"most of {POSITIONS} random positions of {ROWS:,} samples, each the best of {TRIES}; median {middle:.2f}"
            f" ms; from set_state of a new iterator; {len(samples.shard_ends)} shards, {options.batch_size} raw arrays",
        )  # fmt: skip


def first_rows(samples: TenMillion, options: IteratorOptions, state: dict) -> float:
    iterator = BatchIterator(samples, options, None)
    began = time.perf_counter()
    iterator.set_state(state)
    planned = next(rounds(ROWS, order_of(samples, options), options, state["epoch"], state["position"]))
    seconds = time.perf_counter() - began
    assert len(planned.rows) == options.batch_size
    return seconds


def first_batch(samples: TenMillion, options: IteratorOptions, state: dict) -> float:
    with BatchIterator(samples, options, None) as iterator:
        began = time.perf_counter()
        iterator.set_state(state)
        batch = next(iter(iterator))
        seconds = time.perf_counter() - began
    assert batch.position == state["position"] + options.batch_size
    return seconds
