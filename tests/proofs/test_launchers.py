"""All launchers pass the same tests, each on the real thing."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.launchers.suite import LauncherSuite
from tests.launchers.workers_suite import WorkersSuite
from tests.proofs.conftest import ROOT, Cluster, Proof

CLASSES = {
    "process": "test_process.TestProcessLauncher",
    "docker": "test_docker.TestDockerLauncher",
    "kubernetes": "test_kubernetes.TestKubernetesLauncher",
}
SUITES = {"": LauncherSuite, " of several workers": WorkersSuite}


@pytest.mark.proof("launchers", slow=True)
def test_launchers(proof: Proof, docker_engine: str, cluster: Cluster | None, tmp_path: Path) -> None:
    if cluster is not None:
        cluster.load("prep", "airflow-mlplat/suite:latest")
    expected: dict[str, Counter[str]] = {}
    for launcher, path in CLASSES.items():
        if launcher == "kubernetes" and cluster is None:
            proof.not_run("no Kubernetes: MLPLAT_TEST_KUBERNETES is not set", "all shared tests, none skipped")
            continue
        module, name = path.split(".")
        tests = getattr(importlib.import_module(f"tests.launchers.{module}"), name)
        passed, others = run(f"tests/launchers/{module}.py::{name}", tmp_path / "results.xml", docker_engine)
        for what, suite in SUITES.items():
            if not issubclass(tests, suite):
                continue
            shared = {name for name in vars(suite) if name.startswith("test_")}
            its = Counter({name: count for name, count in passed.items() if name in shared})
            cases = Counter({name: count for name, count in (passed + others).items() if name in shared})
            same = its == expected.setdefault(what, cases)
            wrong = sorted((shared & set(others)) | (shared - set(its)) | (shared & set(vars(tests))))
            target = f"{sum(expected[what].values())}, none skipped, none changed"
            proof.row(its.total(), f"shared tests{what} pass, {launcher}", target, same and not wrong, ", ".join(wrong))


def run(tests: str, results: Path, docker_engine: str) -> tuple[Counter[str], Counter[str]]:
    """How many cases of each test passed, and how many did not, for whatever reason."""
    command = [sys.executable, "-m", "pytest", "-rs", "--junitxml", str(results), tests]
    env = {**os.environ, "MLPLAT_TEST_DOCKER": docker_engine}
    ran = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if ran.returncode:
        print(ran.stdout[-5000:], ran.stderr[-2000:], flush=True)
    passed, others = Counter[str](), Counter[str]()
    for case in ElementTree.parse(results).iter("testcase"):
        (others if len(case) else passed)[case.attrib["name"].split("[")[0]] += 1
    return passed, others
