"""What README and CONTRIBUTING say is so."""

from __future__ import annotations

import re
from pathlib import Path


def proofs(root: Path) -> set[str]:
    """Names of all proofs, from their marks."""
    texts = (path.read_text() for path in (root / "tests/proofs").glob("test_*.py"))
    return {name for text in texts for name in re.findall(r'@pytest\.mark\.proof\("([\w-]+)"', text)}


def test_the_table_of_promises_lists_every_proof(root: Path) -> None:
    table = (root / "README.md").read_text().split("## What it promises, and the proof")[1]
    listed = re.findall(r"^\| `([\w-]+)` \|", table, re.MULTILINE)
    assert sorted(listed) == sorted(proofs(root))


def test_every_file_that_the_architecture_names_exists(root: Path) -> None:
    named = re.findall(r"`((?:[\w]+/)+\w+\.py)`", (root / "ARCHITECTURE.md").read_text())
    assert len(named) > 8
    assert [name for name in named if not (root / "airflow_mlplat" / name).exists()] == []


def test_every_folder_is_in_the_architecture(root: Path) -> None:
    text = (root / "ARCHITECTURE.md").read_text()
    folders = [path.name for path in (root / "airflow_mlplat").iterdir() if (path / "__init__.py").exists()]
    assert [name for name in folders if f"`{name}/`" not in text] == []


def test_the_pages_stay_short(root: Path) -> None:
    assert len((root / "CONTRIBUTING.md").read_text().splitlines()) <= 60
    assert len((root / "ARCHITECTURE.md").read_text().splitlines()) <= 70
