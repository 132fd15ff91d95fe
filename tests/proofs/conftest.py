"""What every proof may use: a place for its rows, a real Airflow, small real sources.

A proof is one test marked `@pytest.mark.proof("name")`; it gives at least one row by the `proof` fixture. A row that
does not hold fails the proof, after all of its rows were taken.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
RESULTS = ROOT / "build" / "proofs.json"
VERDICTS = {True: "holds", False: "FALLS SHORT"}
NOT_RUN = "not run"


@dataclass
class Row:
    """One line of the table: a figure beside its target."""

    name: str
    figure: float | str
    unit: str
    target: str
    verdict: str
    seconds: float
    note: str = ""

    def __str__(self) -> str:
        figure = f"{self.figure:.4g}" if isinstance(self.figure, float) else self.figure
        return f"{self.name} | {figure} {self.unit} | {self.target} | {self.verdict}" + (
            f" | {self.note}" if self.note else ""
        )


@dataclass
class Proof:
    """Takes the rows of one proof."""

    name: str
    started: float = field(default_factory=time.monotonic)
    rows: list[Row] = field(default_factory=list)

    def row(self, figure: float | str, unit: str, target: str, holds: bool, note: str = "") -> None:
        """Take a row.

        Args:
            figure: What was seen.
            unit: Of the figure: `s`, `of 20 runs`, `digests`.
            target: What was promised: `<= 60 s`.
            holds: Whether the figure keeps the promise.
            note: What a reader should know.
        """
        self._take(figure, unit, target, VERDICTS[bool(holds)], note)

    def not_run(self, why: str, target: str) -> None:
        """Take a row that proves nothing: what the proof needs is not there.

        Args:
            why: What is missing: `no GPU`.
            target: What was promised.
        """
        self._take(why, "", target, NOT_RUN, "")

    def _take(self, figure: float | str, unit: str, target: str, verdict: str, note: str) -> None:
        row = Row(self.name, figure, unit, target, verdict, round(time.monotonic() - self.started, 1), note)
        print(f"\n{row}", flush=True)
        self.rows.append(row)


ROWS: list[Row] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--proofs", default="", help="run only the proofs with these names")
    parser.addoption("--quick", action="store_true", help="run only the proofs that take a few minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = set(config.getoption("--proofs").split())
    marks = {item: item.get_closest_marker("proof") for item in items}
    known = {mark.args[0] for mark in marks.values() if mark}
    if wanted - known:
        raise pytest.UsageError(
            f"no such proof: {', '.join(sorted(wanted - known))}; there are {', '.join(sorted(known))}"
        )
    items[:] = [
        item
        for item, mark in marks.items()
        if mark
        and (not wanted or mark.args[0] in wanted)
        and not (config.getoption("--quick") and mark.kwargs.get("slow"))
    ]


@pytest.fixture
def proof(request: pytest.FixtureRequest) -> Iterator[Proof]:
    """The rows of the proof that asks for it."""
    taken = Proof(request.node.get_closest_marker("proof").args[0])
    try:
        yield taken
    finally:
        ROWS.extend(taken.rows)
    short = [str(row) for row in taken.rows if row.verdict == VERDICTS[False]]
    assert taken.rows, "a proof without a figure proves nothing"
    assert not short, "\n".join(short)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """A proof that breaks before its first row is a row too."""
    report = (yield).get_result()
    mark = item.get_closest_marker("proof")
    if mark and report.failed and call.when in ("setup", "call"):
        ROWS.append(
            Row(mark.args[0], "broke", "", "", VERDICTS[False], round(call.duration, 1), str(call.excinfo.value)[:500])
        )


def pytest_sessionfinish() -> None:
    """Print the table, and merge its rows into `build/proofs.json`."""
    if not ROWS:
        return
    RESULTS.parent.mkdir(exist_ok=True)
    names = {row.name for row in ROWS}
    kept = [row for row in json.loads(RESULTS.read_text()) if row["name"] not in names] if RESULTS.exists() else []
    RESULTS.write_text(json.dumps(kept + [asdict(row) for row in ROWS], indent=1) + "\n")
    print("\n\nproof | figure | target | verdict\n" + "\n".join(map(str, ROWS)))


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real PostgreSQL server: the one that is given, or one of our own for as long as the proofs run."""
    given = os.environ.get("MLPLAT_TEST_POSTGRES")
    if given:
        yield given
        return
    from stack import free_port

    script = ROOT / "tests/services/postgres"
    services = str(tmp_path_factory.mktemp("services"))
    env = {**os.environ, "SERVICES_HOME": services, "POSTGRES_PORT": str(free_port())}
    yield subprocess.check_output([script, "start"], text=True, env=env).strip()
    subprocess.run([script, "stop"], env=env, check=True)


@pytest.fixture
def postgres_database(postgres_server: str) -> str:
    """URL of an empty database of its own, for SQLAlchemy."""
    import sqlalchemy as sa

    server = sa.make_url(postgres_server).set(drivername="postgresql+psycopg")
    name = f"proof_{uuid.uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def docker_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real Docker Engine that has this very code's images: the one that is given, or one of our own."""
    given, script = os.environ.get("MLPLAT_TEST_DOCKER"), ROOT / "tests/services/docker"
    env = {**os.environ, "SERVICES_HOME": str(tmp_path_factory.mktemp("services"))}
    url = given or subprocess.check_output([script, "start"], text=True, env=env).strip()
    subprocess.run(["make", "images"], cwd=ROOT, env={**os.environ, "DOCKER_HOST": url}, check=True)
    yield url
    if not given:
        subprocess.run([script, "stop"], env=env, check=True)


@pytest.fixture
def docker_client(docker_engine: str) -> Iterator[object]:
    """A client of that engine."""
    from docker import APIClient

    client = APIClient(base_url=docker_engine)
    yield client
    client.close()


@dataclass(frozen=True)
class Cluster:
    """A real Kubernetes whose node sees our folders, as `tests/services/kubernetes start` makes it.

    Args:
        config: Path of a kubeconfig.
        docker_engine: URL of the Docker Engine from which its node gets images.
    """

    config: str
    docker_engine: str

    def connect(self) -> Any:
        """A client of its API server."""
        from kubernetes.config import new_client_from_config

        return new_client_from_config(self.config)

    def load(self, role: str, name: str) -> None:
        """Give the node this very code's image of a role, under a name."""
        env = {**os.environ, "DOCKER_HOST": self.docker_engine}
        command = [ROOT / "tests/services/kubernetes", "load", f"airflow-mlplat/{role}:latest={name}"]
        subprocess.run(command, env=env, check=True, stderr=subprocess.DEVNULL)

    def image(self, role: str) -> tuple[str, str]:
        """The name of such an image, which never moves, and its digest."""
        command = ["docker", "image", "inspect", "--format", "{{.Id}}", f"airflow-mlplat/{role}:latest"]
        env = {**os.environ, "DOCKER_HOST": self.docker_engine}
        digest = subprocess.check_output(command, env=env, text=True).strip()
        name = f"airflow-mlplat/{role}:{digest.removeprefix('sha256:')[:12]}"
        self.load(role, name)
        return name, digest


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster | None:
    """The cluster that is given; None without one: to build it takes minutes."""
    given = os.environ.get("MLPLAT_TEST_KUBERNETES")
    return Cluster(given, request.getfixturevalue("docker_engine")) if given else None


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Callable]:
    """A function that starts a real Airflow on a home of its own; all are stopped at the end."""
    from stack import Stack

    started: list[Stack] = []

    def start(name: str, **options: object) -> Stack:
        made = Stack(tmp_path / name, **options)
        started.append(made)
        made.start()
        return made

    yield start
    for made in started:
        made.stop()


@pytest.fixture
def fashion_home(stack: Callable, tmp_path: Path) -> Callable:
    """A function that makes a home of a given name with the demo's DAGs, a part of its images and a real Airflow."""
    from tests.proofs.fashion_stack import FashionStack

    return lambda name, **options: FashionStack(stack, tmp_path / name, **options)


@pytest.fixture(scope="session")
def uv() -> str:
    """The command that makes environments: on PATH, or where the set-up put it."""
    return shutil.which("uv") or str(ROOT / ".tools/bin/uv")


@pytest.fixture(scope="session")
def clean_environment(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with nothing but the built wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("clean")
    env = {**os.environ, "UV_COMPILE_BYTECODE": "1", "UV_LINK_MODE": "copy"}
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", folder / "dist", ROOT], check=True, env=env)
    (wheel,) = (folder / "dist").glob("*.whl")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True, env=env)
    install = [uv, "pip", "install", "--quiet", "--python", folder / "venv/bin/python", wheel]
    subprocess.run(install, check=True, env=env)
    return folder / "venv"
