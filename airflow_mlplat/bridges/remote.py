"""Media behind a URL, by fsspec's drivers; never its caches: they served half-written files (fsspec #639, #1126)."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

from airflow_mlplat.bridges.local import path_text
from airflow_mlplat.bridges.reasons import MISSING, OUTSIDE, UNREADABLE, BadRecord
from airflow_mlplat.errors import ConfigError, PlatformError

_LOG = logging.getLogger(__name__)

LISTED = 20
"""So many are logged in the server's or the driver's own words, which may differ from run to run."""
ATTEMPTS = 3
"""One lost answer among many thousand should not cost the whole partition."""

# What drivers call the facts that change with a file: http, s3, gcs, azure, webhdfs, sftp, memory.
_VALIDATORS = (
    "ETag",
    "etag",
    "Content-MD5",
    "content_md5",
    "Digest",
    "md5Hash",
    "Last-Modified",
    "LastModified",
    "last_modified",
    "updated",
    "generation",
    "VersionId",
    "modificationTime",
    "mtime",
    "created",
)
_SETTLE_SECONDS = 2.0  # one for the counting, one for the clocks

_UNREADABLE = {PermissionError: "may not be read", IsADirectoryError: "is a folder", ValueError: "is refused"}
"""Fixed words: what is told of a bad record counts in its span's digest."""
_GONE, _REFUSED_BUT_ALIVE = (404, 410), (408, 429)

Result = TypeVar("Result")


class RemoteFiles:
    """Files below a URL.

    Args:
        root: URL of a folder.
        filesystem: From the scheme to an fsspec file system; default: a fresh one without listing cache.

    Raises:
        ConfigError: The scheme's driver is unknown or not installed.
    """

    workers = 16  # nearly all of the time is spent waiting for answers

    def __init__(self, root: str, filesystem: Callable[[str], Any] | None = None) -> None:
        self._root = root.rstrip("/")
        protocol = urlsplit(root).scheme.lower()
        self._logged = 0
        self._quoted = protocol in ("http", "https")
        try:
            self._files = (filesystem or _plain_filesystem)(protocol)
        except (ImportError, ValueError) as error:
            raise ConfigError(
                f"no driver for {protocol}:// media",
                got=error,
                fix="install the fsspec driver of this scheme",
            ) from error

    def locate(self, value: Any) -> str:
        """The URL. A relative path is quoted as HTTP wants it; a whole URL is taken as it is."""
        path = path_text(value)
        whole = path.startswith(self._root + "/")
        tail = path[len(self._root) + 1 :] if whole else path
        if not whole and ("://" in path or path.startswith("/")):
            raise BadRecord(OUTSIDE, ascii(path))
        # Servers resolve `..`, percent-encoded or not; `::` would chain another driver.
        if ".." in unquote(tail).replace("\\", "/").split("/") or "::" in tail:
            raise BadRecord(OUTSIDE, ascii(path))
        if not tail or "\0" in tail:
            raise BadRecord(MISSING, ascii(path))
        return f"{self._root}/{quote(tail) if self._quoted and not whole else tail}"

    def look(self, location: str) -> tuple[int, str]:
        """Size, with entity tag or times; where the server tells neither, the SHA-256 of the content."""
        info = self._attempt(location, lambda: self._files.info(location))
        if wait := _unsettled_seconds(info):
            time.sleep(wait)
            info = self._attempt(location, lambda: self._files.info(location))
        if info.get("type") == "directory":
            raise BadRecord(UNREADABLE, f"{self._told(location)!a} is a folder")
        facts = _facts(info)
        if not facts or info.get("size") is None:
            content = self.read(location)
            return len(content), hashlib.sha256(content).hexdigest()
        return int(info["size"]), f"{info['size']} {facts}"

    def read(self, location: str) -> bytes:
        """The whole file."""
        return bytes(self._attempt(location, lambda: self._files.cat_file(location)))

    def _attempt(self, location: str, call: Callable[[], Result]) -> Result:
        from airflow_mlplat.store.retry import repeated

        told = self._told(location)
        try:
            return repeated(call, lambda error: not isinstance(_fault(location, told, error), BadRecord), ATTEMPTS)
        except Exception as error:  # drivers raise their client's own classes
            fault = _fault(location, told, error)
            if isinstance(fault, BadRecord) and fault.reason == UNREADABLE and self._logged < LISTED:
                self._logged += 1
                _LOG.warning("%s cannot be read: %s: %s", location, type(error).__name__, error)
            raise fault from error

    def _told(self, location: str) -> str:
        """What is below the root: what is told of a bad record counts in its span's digest, so no place may."""
        return location[len(self._root) + 1 :]


def _plain_filesystem(protocol: str) -> Any:
    import fsspec

    return fsspec.filesystem(protocol, use_listings_cache=False, skip_instance_cache=True)


def _facts(info: dict[str, Any]) -> dict[str, Any]:
    return {name: info[name] for name in _VALIDATORS if info.get(name)}


def _unsettled_seconds(info: dict[str, Any]) -> float:
    """How long until another change must show in `Last-Modified`, which counts whole seconds (RFC 9110, 8.8.2.2)."""
    facts = _facts(info)
    try:
        modified = parsedate_to_datetime(facts.pop("Last-Modified", "")).timestamp()
    except ValueError:
        return 0.0
    if facts:
        return 0.0
    age = time.time() - modified
    return _SETTLE_SECONDS - age if 0 <= age < _SETTLE_SECONDS else 0.0


def _fault(location: str, told: str, error: BaseException) -> BadRecord | PlatformError:
    """What a driver's error means. fsspec's http says FileNotFoundError even when no server answers: look at causes."""
    chain = list(_causes(error))
    for link in chain:
        status = _status(link)
        if status in _GONE:
            return BadRecord(MISSING, ascii(told))
        if status is not None and 400 <= status < 500 and status not in _REFUSED_BUT_ALIVE:
            return BadRecord(UNREADABLE, f"{told!a} answers {status}")
    root = chain[-1]
    if isinstance(error, (FileNotFoundError, NotADirectoryError)) and isinstance(root, (type(error), LookupError)):
        return BadRecord(MISSING, ascii(told))
    for kind, words in _UNREADABLE.items():
        if isinstance(root, kind):
            return BadRecord(UNREADABLE, f"{told!a} {words}")
    return PlatformError(f"media {location!r} cannot be fetched", got=f"{type(root).__name__}: {root}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _status(error: BaseException) -> int | None:
    """HTTP status in an error of aiohttp, or of botocore."""
    status = getattr(error, "status", None)
    response = getattr(error, "response", None)
    if status is None and isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status if isinstance(status, int) else None
