"""Files that somebody else writes at the same time, who may be hostile: read and written with care."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any, BinaryIO, cast

JSON_BYTES = 8 << 20
"""More than any result has."""
_NO_FILE = (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EACCES)
"""What open(2) says of a link, of a file as a folder, of a socket, and of a file that its owner made unreadable."""


def open_plain(path: Path) -> BinaryIO:
    """Open a file to read its bytes.

    Raises:
        FileNotFoundError: There is none, or it is a link or anything else but a file.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe without a writer blocks
    except OSError as error:
        if error.errno in _NO_FILE:
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


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, also where who made it took everybody's right to do so.

    Raises:
        OSError: It is somebody else's.
    """
    try:
        shutil.rmtree(folder)
    except PermissionError:
        folder.chmod(stat.S_IRWXU)
        for path, folders, _ in os.walk(folder):  # each folder is entered after it was named by the one that has it
            for inner in (Path(path, name) for name in folders):
                if not inner.is_symlink():
                    inner.chmod(stat.S_IRWXU)
        shutil.rmtree(folder)
