"""A digest of the source that jobs run: changed code makes new results, an upgrade of Airflow's half does not."""

from __future__ import annotations

import functools
import hashlib
import itertools
from pathlib import Path

PACKAGE = Path(__file__).parent.parent
JOB_HALF = ("contract.py", "errors.py", "compiled", "store", "data", "stages", "runtime")
"""Files and folders of the package that a job may import."""


@functools.cache
def code_version(package: Path = PACKAGE) -> str:
    """SHA-256 over the relative paths and bytes of the job half's source files; computed once per process.

    Args:
        package: The package's folder.
    """
    found = hashlib.sha256()
    for path in source_files(package):
        content = path.read_bytes()
        found.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    return found.hexdigest()


def source_files(package: Path) -> list[Path]:
    """The job half's Python and C files, in the order of their digest."""
    return _files(package, (".c", ".h", ".py"))


def compiled_files(package: Path) -> list[Path]:
    """What its C files were compiled to, if they were. Not a part of the digest: without them jobs do the same."""
    return sorted((package / "compiled").glob("*.so"))


def _files(package: Path, suffixes: tuple[str, ...]) -> list[Path]:
    tops = [package / name for name in JOB_HALF]
    files = (sorted(top.rglob("*")) if top.is_dir() else [top] for top in tops)
    return [path for path in itertools.chain.from_iterable(files) if path.suffix in suffixes]
