"""Files that somebody else writes at the same time, who may be hostile: read and written with care."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO, cast

JSON_BYTES = 64 << 20
"""More than any result has."""


def open_plain(path: Path) -> BinaryIO:
    """Open a file to read its bytes.

    Raises:
        FileNotFoundError: There is none, or it is a link or anything else but a file.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe without a writer blocks
    except NotADirectoryError as error:
        raise FileNotFoundError(path) from error
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileNotFoundError(path) from error
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise FileNotFoundError(path)
    return cast(BinaryIO, os.fdopen(number, "rb"))


def write_json(path: Path, document: Any) -> None:
    """Write a file so that a reader finds it whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    with temporary.open("x", encoding="utf-8") as file:  # follows no link
        json.dump(document, file, indent=1)
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """A JSON file's content; None when there is no such file, or it is no JSON, or too long."""
    try:
        with open_plain(path) as file:
            content = file.read(JSON_BYTES + 1)
        return json.loads(content) if len(content) <= JSON_BYTES else None
    except (FileNotFoundError, ValueError, RecursionError):
        return None
