"""A store in a bucket, which jobs of many hosts can write at once."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, Callable

from airflow_mlplat.errors import ConfigError, NotFoundError, StoreError
from airflow_mlplat.store.backend import SCRATCH, WRITABLE, Entry
from airflow_mlplat.store.remote import FsspecBackend, consumed, local_scratch, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE_PUT_BYTES = 192 << 20
"""Larger files are put in parts. A shard, of 128 MiB and a little, is put at once."""
PART_BYTES = 64 << 20
"""S3 wants at least 5 MiB of a part, and at most 10,000 parts."""

TOUCHED = f"{SCRATCH}/touched"
"""Folder of empty files: the age of one is that of the file it is named after, if that is older. S3's own way, a copy
onto itself, takes seconds for a shard, and versitygw keeps the age. They are collected as garbage with the rest of
`tmp`, when they are so old that they say nothing.
"""
MARKER = f"{SCRATCH}/conditional-writes"
"""A file that is put to see whether the server honours the condition."""

_HELD = 412


class S3Backend(FsspecBackend):
    """Files in a bucket of S3, or of a server that speaks like it. Safe to share between threads.

    The server must honour `If-None-Match: *` when it puts an object, and when it completes one of several parts, for
    that decides which writer is first: Amazon's since August 2024, MinIO and versitygw do. The first write of a process
    sees to it. When the answer to a put is lost, and it is repeated, no writer may be told that it was first.

    What is left of an upload in parts by a process that was killed is no file, and costs money: give the bucket a rule
    that ends such uploads (`AbortIncompleteMultipartUpload`) after a few days.

    Args:
        url: `s3://bucket/path`; the bucket must exist. Credentials and the endpoint come from the driver's own places:
            `AWS_ACCESS_KEY_ID`, `AWS_PROFILE`, `~/.aws`; `AWS_ENDPOINT_URL`, `FSSPEC_S3_ENDPOINT_URL`.

    Raises:
        ConfigError: fsspec or s3fs is not installed.
    """

    _proven = False

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        return self._put_at(path) is not None

    def list(self, prefix: str) -> Iterator[Entry]:
        """Every file below the folder `prefix`, sorted by path."""
        touched = {entry.path[len(TOUCHED) + 1 :]: entry.modified for entry in super().list(f"{TOUCHED}/{prefix}")}
        for entry in super().list(prefix):
            yield entry._replace(modified=max(entry.modified, touched.get(entry.path, 0)))

    def scratch(self) -> Path:
        """The name of a new local file to write."""
        return local_scratch()

    def put_if_absent(self, path: str, content: bytes | Path) -> bool:
        """Make a file appear, whole, unless one is there.

        Raises:
            ConfigError: The server does not honour the condition.
        """
        with consumed(content) as file:
            self._prove()
            while not self.touch(path):  # first, so that nothing is sent in vain
                if self._create(path, file):
                    return True
        return False

    def touch(self, path: str) -> bool:
        """Renew a file's age. False if it is absent."""
        if not self.exists(path):
            return False
        mark = self._object(f"{TOUCHED}/{path}")
        self._ask(path, lambda files: files.call_s3("put_object", Body=b"", **mark), "touched in", WRITABLE)
        return True

    def delete(self, path: str, modified_before: float) -> bool:
        """Remove a file if it was last put or touched before that time.

        S3 cannot look at the age and remove in one request. A touch between the two, of a file so old, is lost.
        """
        put, touched = self._put_at(path), self._put_at(f"{TOUCHED}/{path}")
        if put is None or max(put, touched or 0) >= modified_before:
            return False
        self._ask(path, lambda files: files.call_s3("delete_object", **self._object(path)), "removed from", WRITABLE)
        return True

    def _object(self, path: str) -> dict[str, str]:
        bucket, _, key = self._at(path).partition("/")
        return {"Bucket": bucket, "Key": key}

    def _put_at(self, path: str) -> float | None:
        """When an object was put, in seconds since 1970, rounded up since S3 tells whole ones. None if it is absent."""
        try:
            answer = self._ask(path, lambda files: files.call_s3("head_object", **self._object(path)))
        except NotFoundError:
            return None
        return float(answer["LastModified"].timestamp() + 1)

    def _create(self, path: str, file: BinaryIO) -> bool:
        """Put a file; False if one is there."""
        put = _put_whole if file.seek(0, 2) <= ONE_PUT_BYTES else _put_parts
        try:
            return self._ask(path, lambda files: put(files, self._object(path), file), "written to", WRITABLE)
        except NotFoundError as error:
            raise StoreError(
                f"{path} cannot be written to {self.url}", got=404, fix="see that the bucket exists"
            ) from error

    def _prove(self) -> None:
        """See that the server refuses to put what is there."""
        if self._proven:
            return
        for _ in range(2):  # the first may be the one that made it
            with consumed(b"") as nothing:
                if not self._create(MARKER, nothing):
                    self._proven = True
                    return
        raise ConfigError(
            f"the server of the store {self.url} does not honour If-None-Match: writers would replace each other",
            fix="keep the store where conditional writes are honoured: Amazon S3, MinIO, versitygw",
        )


def _put_whole(files: Any, at: dict[str, str], file: BinaryIO) -> bool:
    file.seek(0)  # of each attempt; bytes, since drivers that repeat a request do not go back in a file
    content = file.read()
    return _unless_held(lambda: files.call_s3("put_object", Body=content, IfNoneMatch="*", **at))


def _put_parts(files: Any, at: dict[str, str], file: BinaryIO) -> bool:
    upload = {**at, "UploadId": files.call_s3("create_multipart_upload", **at)["UploadId"]}
    made = False
    parts: list[dict[str, Any]] = []
    file.seek(0)
    try:
        while body := file.read(PART_BYTES):
            number = len(parts) + 1
            answer = files.call_s3("upload_part", PartNumber=number, Body=body, **upload)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        whole = {"MultipartUpload": {"Parts": parts}, "IfNoneMatch": "*", **upload}
        made = _unless_held(lambda: files.call_s3("complete_multipart_upload", **whole))
    finally:
        if not made:
            with suppress(Exception):  # what went wrong before is what to tell
                files.call_s3("abort_multipart_upload", **upload)
    return made


def _unless_held(call: Callable[[], Any]) -> bool:
    """Whether a conditional request was done, not refused for its condition."""
    try:
        call()
    except Exception as error:  # the driver's classes are not imported
        if status_of(error) == _HELD:
            return False
        raise
    return True
