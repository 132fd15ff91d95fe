"""Three trainers on one shared stream decode as much as one alone; killing one changes nothing for the others."""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.proofs.conftest import ROOT, Proof

IMAGES, SIDES, EPOCHS, BATCH = 480, (256, 343), 24, 32
"""Some 8 s of decoding: a server that is started for less is not worth its start, which counts."""
OPTIONS = {"batch_size": BATCH, "shape": [224, 224, 3], "seed": 11, "keep_bytes": 0}
"""Nothing is kept: decoding is measured, in every epoch."""
PYTHONS = {
    "numpy": Path(sys.executable),
    "tensorflow": ROOT / ".venvs/tensorflow/bin/python",
    "mxnet": ROOT / ".venvs/mxnet/bin/python",
}
MOST = 1.2
"""CPU time of decoding for three, as a multiple of that for one alone."""
SECONDS = 300
ROUNDS = 15
"""The same work takes up to a third more CPU time from one half minute to the next on machines that are shared."""


def make_store(folder: Path) -> dict:
    """A span of JPEGs: parts of scikit-learn's photographs under noise. Where it lies, and its reference."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    from airflow_mlplat.store import Sample, SpanWriter, open_store

    photos, draw = load_sample_images().images, np.random.default_rng(4)
    store = open_store(folder)
    with SpanWriter(store, "photos", "2026-01-01", ["china", "flower"]) as writer:
        for i in range(IMAGES):
            height, width = draw.integers(*SIDES, 2)
            photo = photos[i % 2]
            y, x = (draw.integers(0, size - part + 1) for size, part in zip(photo.shape, (height, width)))
            part = photo[y : y + height, x : x + width] + draw.normal(0, 6, (height, width, 1))
            content = io.BytesIO()
            Image.fromarray(part.clip(0, 255).astype(np.uint8)).save(
                content, "JPEG", quality=int(draw.integers(72, 90))
            )
            writer.add(Sample(f"photo/{i:04d}", content.getvalue(), i % 2, None))
        return {"store": store.url, "ref": writer.commit().to_json()}


class Trainer:
    """A trainer's process."""

    def __init__(self, folder: Path, framework: str, data: dict, stream: dict | None, epochs: int) -> None:
        self.framework, self.output = framework, folder / f"{framework}-{time.monotonic_ns()}.txt"
        document = {**data, "options": OPTIONS, "epochs": epochs, "stream": stream, "output": str(self.output)}
        env = {
            **os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2",
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "",  # as where a package is installed: a server does not compile it at its start
        }  # fmt: skip
        script = Path(__file__).with_name("shared_trainer.py")
        command = [str(PYTHONS[framework]), str(script), framework, json.dumps(document)]
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)

    def digests(self) -> list[str]:
        return self.output.read_text().split() if self.output.exists() else []

    def result(self) -> dict:
        told, _ = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, f"{self.framework} failed"
        return json.loads(told.splitlines()[-1])


def alone(folder: Path, data: dict) -> tuple[float, list[str]]:
    """CPU seconds of decoding in one trainer that has its own iterator, and its digests."""
    trainer = Trainer(folder, "numpy", data, None, EPOCHS)
    result = trainer.result()
    return result["thread_seconds"] + result["taking_seconds"], trainer.digests()


def together(folder: Path, data: dict, epochs: int) -> list[Trainer]:
    stream = {"directory": str(folder / "streams"), "store": data["store"], "consumers": 3, "gather_seconds": 120,
              "idle_seconds": 1}  # fmt: skip
    return [Trainer(folder, framework, data, stream, epochs) for framework in PYTHONS]


@pytest.mark.proof("shared-stream", slow=True)
def test_shared_stream(proof: Proof, tmp_path: Path) -> None:
    data = make_store(tmp_path / "store")
    before, expected = alone(tmp_path, data)
    digests, ratios, said = {tuple(expected)}, [], []
    for _ in range(ROUNDS):
        trainers = together(tmp_path, data, EPOCHS)
        results = [trainer.result() for trainer in trainers]
        after, again = alone(tmp_path, data)
        digests |= {tuple(trainer.digests()) for trainer in trainers} | {tuple(again)}
        one, before = (before + after) / 2, after
        own = sum(result["counts"]["own"] for result in results)
        server = max((result["counts"]["server"] for result in results), key=lambda counted: counted["cpu_seconds"])
        taking = sum(result["taking_seconds"] for result in results)
        ratios.append((server["cpu_seconds"] + taking + own * one / len(expected)) / one)
        said.append(f"{ratios[-1]:.3f} ({server['cpu_seconds']:.2f} + {taking:.2f} / {one:.2f}, {own} own)")
    proof.row(
        len(expected) if len(digests) == 1 else "different", "equal batch digests",
        f"{EPOCHS * IMAGES // BATCH} in {', '.join(PYTHONS)} and alone",
        len(digests) == 1 and len(expected) == EPOCHS * IMAGES // BATCH,
    )  # fmt: skip
    ratio = statistics.median(ratios)
    proof.row(
        ratio, "CPU of decoding for three / for one alone", f"<= {MOST}", ratio <= MOST,
        f"median of {ROUNDS} rounds, each (seconds of the server with its start + of taking in all three / of one "
        f"alone, the mean of before and after, batches that trainers decoded): {'; '.join(said)}",
    )  # fmt: skip

    trainers = together(tmp_path, data, EPOCHS)
    killed, *others = trainers
    while len(killed.digests()) < len(expected) // 3 and killed.process.poll() is None:
        time.sleep(0.01)
    killed.process.kill()
    killed.process.communicate()
    results = [trainer.result() for trainer in others]
    same = [trainer.framework for trainer in others if trainer.digests() == expected]
    own = sum(result["counts"]["own"] for result in results)
    seen = len(killed.digests())
    proof.row(
        len(same), "of 2 trainers with unchanged digests", "2", len(same) == 2 and 0 < seen < len(expected),
        f"{killed.framework} was killed after {seen} of {len(expected)} batches; the others decoded {own} themselves",
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while list((tmp_path / "streams").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = [path.name for path in (tmp_path / "streams").iterdir()]
    proof.row(len(left), "files left", "0", not left, ", ".join(left))
