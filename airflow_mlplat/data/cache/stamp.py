"""How a cached file says that its SHA-256 was compared: by its modification time.

Whoever has hashed a file sets its mtime to a whole second that follows from its name, inode and size and from the
host's boot; any write or truncation sets another, and after a crash of the host no stamp holds. So each file is hashed
once a boot, not once a process, and there is no second file to keep in step. The access time, set with it, tells when
the file was last opened.
"""

from __future__ import annotations

import hashlib
import os
import time
from functools import lru_cache
from pathlib import Path

_EPOCH, _SPAN = 1_000_000_000, 600_000_000  # seconds since 1970: from 2001 to 2020, so never the time of a write


def is_stamped(stat: os.stat_result, shard: str) -> bool:
    """Whether a file of this state was found to have the SHA-256 that its name says, and not written since."""
    return stat.st_mtime_ns == _stamp(stat, shard)


def stamp(handle: int, shard: str) -> None:
    """Say so, and that the file was opened now."""
    mtime = _stamp(os.fstat(handle), shard)
    os.utime(handle, ns=(time.time_ns(), mtime))


def _stamp(stat: os.stat_result, shard: str) -> int:
    text = f"{_boot()} {shard} {stat.st_ino} {stat.st_size}".encode()
    number = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
    return (_EPOCH + number % _SPAN) * 1_000_000_000


@lru_cache(maxsize=1)
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:  # not Linux: then each process hashes for itself
        return os.urandom(8).hex()
