"""How it is told that a file of a store is gone, or is not what it was."""

from __future__ import annotations

from typing import Any

from airflow_mlplat.errors import CorruptionError

MEND = "restore the file from a copy, or delete it and bridge its partition again"
"""What to do about a damaged file. It is to be deleted since one that is there is never written again."""


def missing(path: str, url: str) -> CorruptionError:
    """A file that a manifest names is not in the store of that URL."""
    return CorruptionError(
        f"{path} is missing from the store {url}", fix="restore the file from a copy, or bridge its partition again"
    )


def cut_off(path: str, url: str, expected: Any, got: Any) -> CorruptionError:
    """A file of the store of that URL is shorter than it was."""
    return CorruptionError(f"{path} of the store {url} has lost its end", expected=expected, got=got, fix=MEND)
