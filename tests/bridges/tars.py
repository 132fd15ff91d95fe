"""Tar files as WebDataset's writers make them, by the standard library."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

PACKINGS = ("", "gz", "bz2", "xz")


def write_tar(path: Path, members: Iterable[tuple[str, bytes]], packing: str = "") -> Path:
    """Members by name and content, in this order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(str(path), f"w|{packing}", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def sample(key, label=None, media=None, extension="png", **metadata) -> list[tuple[str, bytes]]:
    """Members of a sample."""
    parts = {"cls": None if label is None else str(label).encode(), "json": metadata and json.dumps(metadata).encode()}
    parts[extension] = b"\x89PNG a photo of " + str(key).encode() if media is None else media
    return [(f"{key}.{name}", content) for name, content in sorted(parts.items()) if content or name == extension]
