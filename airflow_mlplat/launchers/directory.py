"""The files of one job's directory, and the two locks on it.

spec.json result.json log.txt   the contract's
launch.json                     command, environment and limits, for the supervisor
process.json                    the job's first process, for `cancel`
exit.json                       how the job ended
lease                           its mtime is when a task last looked
cancel                          there when the job shall end; says who asked
outbox/                         what a job put that may not write the store
submit.lock                     held while a job is started
alive.lock                      held by the supervisor as long as it lives

A job in a container is not trusted. It writes only below `work/0/`: result, log, exit, outbox, scratch, checkpoints; it
sees `told/`: launch, lease, cancel; and `store/`, what it may read of the store. The rest it does not see. What reads
`work/` from outside follows no link, opens nothing but files, and reads no JSON of more than `JSON_BYTES`. Of a job of
several workers, each writes in a folder of its own, `work/1/` and so on, which it sees as `work/0/`; all see as
`checkpoints/` those of worker 0.

A kernel drops a dead process's locks, zombies' too, and shows them in every container that mounts the directory;
so whether a process job lives is asked of `alive.lock`, which no reused pid can confuse.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from airflow_mlplat.contract import CHECKPOINTS, LOG_FILE, RESULT_FILE, SPEC_FILE

JSON_BYTES = 64 << 20
"""More than any result has."""


class JobDirectory:
    """One job's directory; making this object makes no folder.

    Args:
        path: The directory.
        apart: Whether the job writes in a part of it alone, as in a container.
        worker: Whose files these are, of the workers of a job in containers.
    """

    def __init__(self, path: Path, *, apart: bool = False, worker: int = 0) -> None:
        self.path, self.apart, self.worker = path, apart, worker
        self.parts, self.checkpoints = path / "work", path / CHECKPOINTS
        self.told, self.work = (path / "told", self.parts / str(worker)) if apart else (path, path)
        self.spec, self.process, self.store = path / SPEC_FILE, path / "process.json", path / "store"
        self.launch, self.lease, self.cancel = (self.told / name for name in ("launch.json", "lease", "cancel"))
        self.result, self.log, self.exit = (self.work / name for name in (RESULT_FILE, LOG_FILE, "exit.json"))
        self.scratch, self.outbox = self.work / "tmp", self.work / "outbox"
        self.supervisor_log = path / "supervisor.txt"
        self._submit_lock, self._alive_lock = path / "submit.lock", path / "alive.lock"

    def workers(self) -> list[JobDirectory]:
        """That of each worker, by number; of worker 0 alone where nothing is prepared."""
        numbers = sorted(int(path.name) for path in self.parts.glob("[0-9]*")) if self.apart else []
        return [JobDirectory(self.path, apart=True, worker=number) for number in numbers] or [self]

    def alive(self) -> bool:
        """Whether the job's supervisor lives."""
        try:
            file = os.open(self._alive_lock, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def claim(self) -> int | None:
        """Take `alive.lock`; the number of the open file that holds it, None when it is taken."""
        file = os.open(self._alive_lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return None
        return file

    def claim_patiently(self, seconds: float) -> int | None:
        """As `claim`, trying for a while: others' looks at the lock hold it for microseconds."""
        deadline = time.monotonic() + seconds
        while True:
            file = self.claim()
            if file is not None or time.monotonic() > deadline:
                return file
            time.sleep(0.01)

    @contextlib.contextmanager
    def submitting(self) -> Iterator[None]:
        """Hold `submit.lock`, in a directory that is still there when it is held."""
        while True:
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                file = os.open(self._submit_lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            except FileNotFoundError:  # swept away between the two lines
                continue
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                if _same_file(file, self._submit_lock):
                    yield
                    return
            finally:
                os.close(file)

    def clear(self) -> None:
        """Remove what an earlier run of the job left, but for its checkpoints."""
        if self.apart:
            self._clear_parts()
            return
        for path in (self.result, self.exit, self.log, self.supervisor_log, self.process, self.cancel):
            path.unlink(missing_ok=True)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _clear_parts(self) -> None:
        others = [each.work for each in self.workers() if each.worker]
        for folder in (self.told, self.store, *others):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.told, self.work):
            folder.mkdir(parents=True, exist_ok=True)
        for path in self.work.iterdir():
            folder_itself = path.is_dir() and not path.is_symlink()
            if folder_itself and path.name != CHECKPOINTS:
                shutil.rmtree(path)
            elif not folder_itself:
                path.unlink()

    def renew_lease(self) -> None:
        """Note that someone looked at the job now; nothing happens when the directory is gone."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self.lease, follow_symlinks=False)

    def ask_to_end(self, by: Mapping[str, str] | None = None) -> None:
        """Leave `cancel` for the supervisor, and who asks for the others who wait for the job."""
        write_json(self.cancel, dict(by or {}))

    def tail(self, path: Path, lines: int) -> str:
        """The last lines of a text file, at most 16 KiB; empty when there is none."""
        try:
            with open_plain(path) as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 16384))
                return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""


def _same_file(file: int, path: Path) -> bool:
    try:
        there, held = path.stat(), os.fstat(file)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)


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
