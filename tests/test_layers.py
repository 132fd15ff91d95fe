"""The import rule: every folder imports only what ARCHITECTURE.md allows it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "airflow_mlplat"
INNER = {"contract", "errors"}
AIRFLOW_SIDE = {*INNER, "store", "catalog", "bridges", "launchers", "hooks"}
MAY_IMPORT = {
    "__init__": set(),
    "contract": {"errors"},
    "errors": set(),
    "provider_info": set(),
    "compiled": set(),
    "store": {*INNER, "compiled"},
    "data": {*INNER, "compiled", "store"},
    "stages": {*INNER, "store", "data"},
    "runtime": {*INNER, "store", "data", "stages"},
    "catalog": INNER,
    "bridges": {*INNER, "store"},
    "launchers": INNER,
    "hooks": AIRFLOW_SIDE,
    "triggers": AIRFLOW_SIDE,
    "operators": {*AIRFLOW_SIDE, "triggers"},
    "sensors": {*AIRFLOW_SIDE, "triggers", "operators"},
    "cli": AIRFLOW_SIDE,
    "ui": {*INNER, "store", "catalog", "hooks"},
}
DOORS = {"hooks/jobs.py": {"airflow_mlplat.stages.check.check_spec"}}
"""The one name that a file may import beside what its folder may: the mistakes that a worker tells as the job would."""
WITHOUT_AIRFLOW = {
    "contract",
    "errors",
    "compiled",
    "store",
    "data",
    "stages",
    "runtime",
    "catalog",
    "bridges",
    "launchers",
}
FRAMEWORKS = {"tensorflow", "keras", "mxnet", "caffe", "torch", "jax"}
FRAMEWORK_ROOMS = ("data/adapters/", "runtime/frameworks/")


def imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def violations(root: Path) -> list[str]:
    found = []
    for path in sorted((root / PACKAGE).rglob("*.py")):
        relative = path.relative_to(root / PACKAGE).as_posix()
        room = relative.split("/")[0].removesuffix(".py")
        allowed = MAY_IMPORT.get(room)
        if allowed is None:
            found.append(f"{relative}: the folder {room!r} is not in the table")
            continue
        for name, line in imports(path):
            head, _, rest = name.partition(".")
            target = rest.split(".")[0]
            inner = head == PACKAGE and (root / PACKAGE / target).exists() | (root / PACKAGE / f"{target}.py").exists()
            if inner and target != room and target not in allowed and name not in DOORS.get(relative, ()):
                found.append(f"{relative}:{line} imports {name}")
            if head == "airflow" and room in WITHOUT_AIRFLOW:
                found.append(f"{relative}:{line} imports {name}, which jobs do not have")
            if head in FRAMEWORKS and not relative.startswith(FRAMEWORK_ROOMS):
                found.append(f"{relative}:{line} imports {name} outside a framework's own file")
    return found


def test_every_import_is_allowed(root: Path) -> None:
    assert violations(root) == []


@pytest.mark.parametrize(
    ("file", "line", "told"),
    [
        (
            "store/x.py",
            "from airflow_mlplat.catalog import Catalog",
            "store/x.py:1 imports airflow_mlplat.catalog.Catalog",
        ),
        ("data/x.py", "import airflow.sdk", "which jobs do not have"),
        ("stages/x.py", "def f():\n    import tensorflow", "outside a framework's own file"),
        ("hooks/jobs.py", "from airflow_mlplat.stages import STAGES", "imports airflow_mlplat.stages.STAGES"),
        ("attic/x.py", "", "is not in the table"),
    ],
)
def test_a_forbidden_import_is_told(tmp_path: Path, file: str, line: str, told: str) -> None:
    for room in ("catalog", "stages"):
        (tmp_path / PACKAGE / room).mkdir(parents=True)
    path = tmp_path / PACKAGE / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(line)
    assert any(told in violation for violation in violations(tmp_path))
