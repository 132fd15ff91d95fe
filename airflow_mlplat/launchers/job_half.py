"""Give jobs the very source that `code_version` names, whatever is installed in their environment.

A copy per code version, and per what is compiled: an upgrade leaves running jobs, which import lazily, with the files
that they began with.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from airflow_mlplat.errors import LaunchError
from airflow_mlplat.launchers.code_version import PACKAGE, code_version, compiled_files, source_files


def supply(folder: Path, version: str | None = None, package: Path = PACKAGE) -> Path:
    """The copy of a code version; made when it is not there.

    Args:
        folder: Where the copies are.
        version: The code version that is wanted; `code_version()` when not given.
        package: The package's folder to copy from.

    Returns:
        What belongs on a job's PYTHONPATH.

    Raises:
        LaunchError: The package's source is of another version by now.
    """
    version = version or code_version(package)
    target = folder / "-".join([version, *_compiled(package)])
    if target.is_dir():
        os.utime(target)  # see `forget`
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        copy = Path(scratch) / "copy"
        for path in [package / "__init__.py", *source_files(package), *compiled_files(package)]:
            place = copy / package.name / path.relative_to(package)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        found = code_version.__wrapped__(copy / package.name)
        if found != version:
            fix = "restart Airflow's processes after an upgrade"
            raise LaunchError(
                "the package's source has changed since it was read", expected=version, got=found, fix=fix
            )
        try:
            copy.rename(target)
        except OSError:  # another process was first
            if not target.is_dir():
                raise
    return target


def _compiled(package: Path) -> list[str]:
    """A short digest of each compiled file: without them, or with others, jobs do the same, but not as fast."""
    return [hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in compiled_files(package)]


def forget(folder: Path, keep_days: float) -> None:
    """Remove the copies that no job was started with for so many days."""
    for path in folder.glob("*"):
        if time.time() - path.stat().st_mtime > keep_days * 86400:
            shutil.rmtree(path, ignore_errors=True)
