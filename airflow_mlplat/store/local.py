"""A store in a folder: files are written under tmp/ and linked into place, so none is ever seen half-written."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from airflow_mlplat.errors import ConfigError, NotFoundError, StoreError
from airflow_mlplat.store.backend import SCRATCH, WRITABLE, Entry

if TYPE_CHECKING:
    from collections.abc import Iterator


def absolute(path: str | Path) -> Path:
    """The folder that a store's path names: below the home if it begins with ~, else below the working folder."""
    return Path(path).expanduser().absolute()


class LocalBackend:
    """Files below one folder of a POSIX file system with hard links. The folder is made by the first write.

    Args:
        root: The folder; made absolute.
    """

    def __init__(self, root: Path) -> None:
        self.root = absolute(root)
        self.url = self.root.as_uri()

    @classmethod
    def from_url(cls, url: str) -> LocalBackend:
        """From `/path`, `path` or `file:///path`.

        Raises:
            ConfigError: A file URL that names another host.
        """
        if not url.startswith("file://"):
            return cls(Path(url))
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or not parts.path:
            raise ConfigError("a file URL names a folder of this host", expected="file:///path", got=repr(url))
        return cls(Path(unquote(parts.path)))

    def read(self, path: str) -> bytes:
        """All bytes of a file."""
        with _storage(self, path):
            return (self.root / path).read_bytes()

    def read_range(self, path: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer at the end of the file."""
        with _storage(self, path), (self.root / path).open("rb") as file:
            file.seek(offset)
            return file.read(size)

    def size(self, path: str) -> int:
        """Size in bytes."""
        with _storage(self, path):
            return (self.root / path).stat().st_size

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        with _storage(self, path):
            return (self.root / path).is_file()

    def list(self, prefix: str) -> Iterator[Entry]:
        """Every file below the folder `prefix`, sorted by path."""
        with _storage(self, prefix):
            for path, stat in _walk(self.root / prefix):
                yield Entry(path.relative_to(self.root).as_posix(), stat.st_size, stat.st_mtime)

    def scratch(self) -> Path:
        """The name of a new local file to write."""
        folder = self.root / SCRATCH
        with _storage(self, SCRATCH):
            folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{os.getpid()}-{os.urandom(8).hex()}"

    def put_if_absent(self, path: str, content: bytes | Path) -> bool:
        """Make a file appear, whole, unless one is there."""
        if isinstance(content, bytes):
            if self.touch(path):
                return False
            source = self.scratch()
        else:
            source = content
        try:
            with _storage(self, path):
                if isinstance(content, bytes):
                    source.write_bytes(content)
                _sync(source)
                (self.root / path).parent.mkdir(parents=True, exist_ok=True)
                return self._link(source, path)
        finally:
            source.unlink(missing_ok=True)

    def _link(self, source: Path, path: str) -> bool:
        # link(2) fails if the target exists; rename(2) would replace it. Either is atomic.
        while True:
            try:
                os.link(source, self.root / path)
            except FileExistsError:
                if not self.touch(path):
                    continue  # collected as garbage between the two calls
                return False
            except OSError as error:
                raise StoreError(
                    f"{path} cannot be linked into the store {self.url}",
                    got=error.strerror,
                    fix="keep the store in one file system, with hard links",
                ) from error
            _sync((self.root / path).parent)
            return True

    def touch(self, path: str) -> bool:
        """Renew a file's age. False if it is absent."""
        with _storage(self, path):
            try:
                os.utime(self.root / path)
            except FileNotFoundError:
                return False
            except PermissionError:  # another user's file: it is there, and its age is that user's care
                return self.exists(path)
            return True

    def delete(self, path: str, modified_before: float) -> bool:
        """Remove a file if it was last put or touched before that time."""
        with _storage(self, path):
            aside = self.scratch()
            try:
                if (self.root / path).stat().st_mtime >= modified_before:
                    return False
                (self.root / path).rename(aside)
                # Touched between the look and the rename: whoever touched it counts on it.
                renewed = aside.stat().st_mtime >= modified_before
            except FileNotFoundError:  # another collector was faster
                return False
            if renewed:
                self._link(aside, path)
            aside.unlink(missing_ok=True)
            return not renewed

    def local_path(self, path: str) -> Path | None:
        """The file itself."""
        return self.root / path


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every file below a folder, sorted. A folder that cannot be read raises: its files must not seem absent."""
    try:
        children = sorted(folder.iterdir())
    except FileNotFoundError:
        return
    for child in children:
        if child.is_dir():
            yield from _walk(child)
            continue
        with suppress(FileNotFoundError):  # removed since: another's scratch file
            yield child, child.stat()


@contextmanager
def _storage(backend: LocalBackend, path: str) -> Iterator[None]:
    """Say what the operating system refused, and where."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} is not in the store {backend.url}") from error
    except OSError as error:
        raise StoreError(
            f"{path} of the store {backend.url} cannot be read or written", got=error.strerror, fix=WRITABLE
        ) from error


def _sync(path: Path) -> None:
    """To the disk: after a power cut a name must not stand for bytes that were never written (fsync(2))."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
