"""A span of digits in a store, and what each framework is given of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mlplat.store import Sample, SpanWriter, open_store

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def interpreter(environment):
    """The Python of an environment; skips, or fails where skipping is forbidden, if there is none."""
    python = ROOT / ".venvs" / environment / "bin" / "python"
    if not python.exists():
        forbidden = os.environ.get("MLPLAT_TEST_FORBID_SKIPS") == "1"
        why = "Caffe's packages cannot be fetched here, or " if environment == "caffe" else ""
        (pytest.fail if forbidden else pytest.skip)(f"{why}there is no {python}: scripts/setup {environment} makes it")
    return python


@pytest.fixture(scope="session")
def span(tmp_path_factory, digits, png):
    """(store's URL, reference) of 61 digits in a few shards."""
    store = open_store(tmp_path_factory.mktemp("adapters") / "store")
    with SpanWriter(store, "digits", "2026-01-01", [str(i) for i in range(10)], shard_bytes=20_000) as writer:
        for i in range(61):
            writer.add(Sample(f"digit/{i:04d}", png(digits[0][i]), int(digits[1][i]), None))
        ref = writer.commit()
    return store.url, ref


@pytest.fixture(scope="session")
def given(span):
    """A function: what `digests.py` prints for a framework, run by an environment's Python, or by this one."""
    url, ref = span

    def run(framework, environment=None):
        python = interpreter(environment) if environment else sys.executable
        command = [python, HERE / "digests.py", framework, url, json.dumps(ref.to_json())]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "2"}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=240)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def expected(given):
    """What the adapter to numpy gives: of each option, of each epoch, the digests of its batches."""
    return given("numpy")["digests"]["arrays"]
