"""The job half's tests, on the oldest Python and numpy that jobs meet."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from tests.proofs.conftest import ROOT, Proof

PYTHON = ROOT / ".venvs/job-half/bin/python"
TESTS = (
    "tests/test_contract.py",
    "tests/test_errors.py",
    "tests/compiled",
    "tests/store",
    "tests/data",
    "tests/stages",
    "tests/runtime",
)
FACTS = (
    "import importlib.util as u, numpy, platform; "
    "print(platform.python_version(), numpy.__version__, 'with' if u.find_spec('airflow') else 'without')"
)


@pytest.mark.proof("job-half")
def test_job_half(proof: Proof) -> None:
    python, numpy, airflow = subprocess.check_output([PYTHON, "-c", FACTS], text=True, cwd="/").split()
    proof.row(
        f"{python}, {numpy}, {airflow}", "Python, numpy, Airflow", "3.9, 1.19, without",
        (python[:4], numpy[:5], airflow) == ("3.9.", "1.19.", "without"),
    )  # fmt: skip
    env = {**os.environ, "MLPLAT_TEST_FORBID_SKIPS": "1"}  # but for what the job half cannot have
    # No -q: pyproject.toml has one, and a second leaves out the counts that are read below.
    done = subprocess.run(
        [PYTHON, "-m", "pytest", *TESTS], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    passed, failed, skipped = (
        int(found.group(1)) if (found := re.search(rf"(\d+) (?:{word})", done.stdout)) else 0
        for word in ("passed", "failed|error", "skipped")
    )
    print((done.stdout + done.stderr)[-3000:] if done.returncode else "")
    proof.row(
        f"{passed} passed, {failed} failed", "tests", "all pass", done.returncode == 0 and passed > 100,
        f"{skipped} skipped: they need Airflow's libraries or a framework",
    )  # fmt: skip
