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
`work/` from outside does so by `files`: it follows no link, opens nothing but files, and reads no JSON without end.
Of a job of several workers, each writes in a folder of its own, `work/1/` and so on, which it sees as `work/0/`; all
see as `checkpoints/` those of worker 0.

A kernel drops a dead process's locks, zombies' too, and shows them in every container that mounts the directory;
so whether a process job lives is asked of `alive.lock`, which no reused pid can confuse.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from airflow_mlplat.contract import CHECKPOINTS, LOG_FILE, RESULT_FILE, SPEC_FILE
from airflow_mlplat.launchers.files import open_plain, remove_tree, write_json

NOT_MOUNTED = "is not there or does not read: is the job's directory mounted?"
"""What a container says, after the path of `launch.json`, that does not find it: the one thing that no log can tell."""


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
        if self.scratch.exists():
            remove_tree(self.scratch)

    def _clear_parts(self) -> None:
        others = [each.work for each in self.workers() if each.worker]
        for folder in (self.told, self.store, *others):
            if folder.exists():
                remove_tree(folder)
        for folder in (self.told, self.work):
            folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self.work, os.R_OK | os.W_OK | os.X_OK):  # it was the job's home
            self.work.chmod(stat.S_IRWXU)
        for path in self.work.iterdir():
            folder_itself = path.is_dir() and not path.is_symlink()
            if folder_itself and path.name != CHECKPOINTS:
                remove_tree(path)
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
