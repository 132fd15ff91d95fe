"""From a fresh clone with fresh environments to a champion; and once more, which does nothing."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.proofs.conftest import ROOT, Proof

CORES = 2


def make(clone: Path, *targets: str, limit: float = 5400) -> tuple[str, float]:
    """Output and seconds of `make`, on two cores."""
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "MLPLAT", "PYTHON", "VIRTUAL_ENV"))
    }
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    started = time.monotonic()
    done = subprocess.run(
        ["taskset", "-c", ",".join(map(str, cores)), "make", "-s", *targets],
        cwd=clone, env=inherited, capture_output=True, text=True, check=False, timeout=limit,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout, time.monotonic() - started


@pytest.mark.proof("demo", slow=True)
def test_demo(proof: Proof, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    _, setup = make(clone, "setup")
    first, seconds = make(clone, "demo")
    print(first)
    proof.row(
        round(seconds), f"s for `make demo` on {CORES} cores, after {setup:.0f} s of set-up", "<= 720 s", seconds <= 720
    )
    found = re.search(r"fashion@champion is .* accuracy ([\d.]+) on the test images", first)
    accuracy = float(found.group(1)) if found else 0.0
    images = "Fashion-MNIST (60000 + 10000 for tests)" if "60000 + 10000 for tests" in first else "other images"
    proof.row(accuracy, f"accuracy of the champion on {images}", ">= 0.88", accuracy >= 0.88 and "Fashion" in images)

    jobs = {path: path.stat().st_mtime_ns for path in clone.glob(".mlplat/jobs/*/spec.json")}
    second, seconds = make(clone, "demo")
    again = {path: path.stat().st_mtime_ns for path in clone.glob(".mlplat/jobs/*/spec.json")}
    proof.row(round(seconds), "s for the second `make demo`", "<= 60 s", seconds <= 60)
    trained = len([path for path in again if again[path] != jobs.get(path)])
    proof.row(trained, "jobs that the second one ran", "0", trained == 0 and bool(jobs))
    same = first.split("partition  ")[1].splitlines()[:12] == second.split("partition  ")[1].splitlines()[:12]
    proof.row("equal" if same else "different", "tables of both", "equal", same)

    tested, seconds = make(clone, "test")
    passed = sum(int(count) for count in re.findall(r"(\d+) passed", tested))
    proof.row(passed, f"tests passed by `make test` in {seconds:.0f} s, none failed", ">= 500", passed >= 500)
