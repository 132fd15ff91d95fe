"""A training step on a GPU is not slower for being fed by the iterator. Needs a GPU and a PyTorch that finds it."""

from __future__ import annotations

import io
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.contract import Ref
from airflow_mlplat.store import Sample, SpanWriter, open_store
from tests.proofs.conftest import ROOT, Proof

SCRIPT = Path(__file__).parent / "gpu_feed.py"
SAMPLES, TARGET = 2048, ">= 0.95"
FINDS_A_GPU = "import numpy, torch, sys; sys.exit(not torch.cuda.is_available())"


def raw_images(folder: Path, samples: int) -> tuple[str, Ref]:
    """A span of arrays of 224x224 colours, as they are: nothing is left to decode."""
    random = np.random.RandomState(0)
    store = open_store(folder)
    with SpanWriter(store, "raw", "2026-01-01", [str(i) for i in range(1000)]) as writer:
        for i in range(samples):
            buffer = io.BytesIO()
            np.save(buffer, random.randint(0, 256, (224, 224, 3)).astype(np.uint8))
            writer.add(Sample(f"{i:06d}", buffer.getvalue(), i % 1000))
        return store.url, writer.commit()


def python_with_a_gpu() -> str | None:
    """A Python whose PyTorch finds a GPU."""
    for python in (ROOT / ".venvs/bench/bin/python", sys.executable, shutil.which("python3")):
        if python and Path(python).exists():
            found = subprocess.run([python, "-c", FINDS_A_GPU], capture_output=True, check=False)
            if not found.returncode:
                return str(python)
    return None


@pytest.mark.proof("gpu-feed", slow=True)
def test_gpu_feed(proof: Proof, tmp_path: Path) -> None:
    python = python_with_a_gpu()
    if python is None:
        proof.not_run("no GPU", TARGET)
        return
    store, ref = raw_images(tmp_path / "store", SAMPLES)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [python, SCRIPT, store, json.dumps(ref.to_json()), "cuda"]
    found = json.loads(subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout)
    fed, resident = (statistics.median(found[name]) for name in ("fed", "resident"))
    note = f"{fed:.1f} steps/s fed, {resident:.1f} on a resident batch, on {found['gpu']}"
    proof.row(fed / resident, "of the step rate on a resident batch", TARGET, fed >= 0.95 * resident, note)
