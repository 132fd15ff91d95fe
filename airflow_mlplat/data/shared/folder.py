"""A stream's folder: who may serve it, and what is left in it.

Whoever holds the lock is the server, or is about to start it, and hands the lock's descriptor on to it. The kernel
frees the lock when they end, however they do; who takes it then owns what is left in the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from pathlib import Path

from airflow_mlplat.data.shared.protocol import SOCKET
from airflow_mlplat.data.shared.slot_files import NAME
from airflow_mlplat.data.shared.spec import ROWS, SPEC

LOCK = "lock"
_MODULE = "airflow_mlplat.data.shared.server"


class Lock:
    """The lock of a folder, held.

    Args:
        folder: Which.
        descriptor: Of the lock's file, locked.
    """

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder, self._descriptor = folder, descriptor

    @classmethod
    def take(cls, folder: Path, make: bool = False) -> Lock | None:
        """The lock, if nobody has it and the folder is there.

        Args:
            folder: Which.
            make: Make the folder.

        Raises:
            OSError: The folder cannot be written.
        """
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            return None
        lock = cls(folder, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.let_go()
            return None
        if not lock.is_current():  # it was removed between the two calls above
            lock.let_go()
            return None
        return lock

    @classmethod
    def inherited(cls, folder: Path, descriptor: int) -> Lock:
        """The lock that another process took, and handed on."""
        os.set_inheritable(descriptor, False)
        return cls(folder, descriptor)

    def start_server(self, timeout_seconds: float) -> None:
        """Hand the lock on to a server of its own session, which outlives this process.

        Raises:
            OSError, subprocess.SubprocessError: It cannot be started.
        """
        root = str(Path(__file__).resolve().parents[3])
        path = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
        if root not in path and "-packages" not in root:
            path.append(root)  # it runs the code that this process runs, wherever that was found
        subprocess.run(
            [sys.executable, "-m", _MODULE, str(self.folder), str(self._descriptor)],
            pass_fds=(self._descriptor,), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True, timeout=timeout_seconds, check=True,
            # Threads of OpenBLAS cost up to half of numpy's import, and decoding has no use for them.
            env={"OPENBLAS_NUM_THREADS": "1", **os.environ, "PYTHONPATH": os.pathsep.join(path)},
        )  # fmt: skip

    def let_go(self) -> None:
        """Close it; it is free unless it was handed on."""
        os.close(self._descriptor)

    def remove_folder(self) -> None:
        """Remove all that belongs to a stream, and the lock with it."""
        if self.is_current():
            clear(self.folder)
            with contextlib.suppress(OSError):
                (self.folder / LOCK).unlink()
                self.folder.rmdir()  # stays if somebody else keeps something there, or begins anew
        self.let_go()

    def is_current(self) -> bool:
        """Whether the folder is still there, and still locked by this."""
        own = os.fstat(self._descriptor)
        try:
            found = (self.folder / LOCK).stat()
        except OSError:
            return False
        return (own.st_dev, own.st_ino) == (found.st_dev, found.st_ino)


def clear(folder: Path, keep_spec: bool = False) -> None:
    """Remove what a server left in a folder. The lock must be held."""
    kept = (SPEC, ROWS) if keep_spec else ()
    with contextlib.suppress(FileNotFoundError):
        for path in list(folder.iterdir()):
            if path.name not in kept and (path.name in (SOCKET, SPEC, ROWS) or NAME.fullmatch(path.name)):
                path.unlink(missing_ok=True)


def sweep(directory: Path) -> None:
    """Remove what servers that were killed left in a directory of streams."""
    with contextlib.suppress(OSError):
        for folder in directory.glob("stream-*"):
            lock = Lock.take(folder)
            if lock is not None:
                lock.remove_folder()
