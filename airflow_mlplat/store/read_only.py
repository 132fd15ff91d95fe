"""What a backend that can only be read answers to whoever would write."""

from __future__ import annotations

from pathlib import Path

from airflow_mlplat.errors import ConfigError


class ReadOnly:
    """The writing half of `Backend`, refused. A base of backends for reading."""

    url: str

    def scratch(self) -> Path:
        """Raises ConfigError."""
        raise self._refusal()

    def put_if_absent(self, path: str, content: bytes | Path) -> bool:
        """Raises ConfigError."""
        raise self._refusal()

    def touch(self, path: str) -> bool:
        """Raises ConfigError."""
        raise self._refusal()

    def delete(self, path: str, modified_before: float) -> bool:
        """Raises ConfigError."""
        raise self._refusal()

    def local_path(self, path: str) -> Path | None:
        """None: its files are elsewhere."""
        return None

    def _refusal(self) -> ConfigError:
        return ConfigError(
            f"the store {self.url} can only be read", fix="write to the folder that is served there, by its path"
        )
