"""What the example DAG files add to `import airflow`."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.proofs.conftest import ROOT, Proof

ROUNDS = 7
PARSE = "import airflow, runpy, sys\nfor path in sys.argv[1:]: runpy.run_path(path)"


@pytest.mark.proof("parse")
def test_parse(proof: Proof, tmp_path: Path) -> None:
    dags = sorted(str(path) for path in (ROOT / "dags").glob("*.py"))
    assert dags
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}

    def seconds(*arguments: str) -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", PARSE, *arguments], env=env, check=True, capture_output=True)
        return time.perf_counter() - started

    seconds(*dags)  # bytecode, configuration file
    bare, parsed = zip(*[(seconds(), seconds(*dags)) for _ in range(ROUNDS)])
    with_dags, without = statistics.median(parsed), statistics.median(bare)
    note = f"medians of {ROUNDS} interleaved: {with_dags:.2f} s with, {without:.2f} s without"
    added = with_dags - without
    proof.row(round(added, 3), "s", "<= 0.5 s", added <= 0.5, note)
