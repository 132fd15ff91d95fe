"""Where things are: the only reader of the environment variables that `contract.ENVIRONMENT` lists."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

from airflow_mlplat.contract import CACHE, CACHE_BYTES
from airflow_mlplat.errors import ConfigError
from airflow_mlplat.launchers.container import IMAGES


@dataclass(frozen=True)
class Settings:
    """Places of one installation.

    Args:
        home: Folder of everything the platform keeps, absolute.
        store: URL of the store.
        catalog: SQLAlchemy URL of the catalog; may hold a password, so it is never logged.
        environments: Folder with one virtual environment per framework.
        cache: Folder of what jobs of a host share.
        cache_bytes: Bound of the shards in it.
        orphan_seconds: A job that no task has looked at for so long ends itself.
        docker_url: Of the Docker Engine that runs jobs in containers.
        images: Names of the images that jobs run in, with `{name}`.
        kubernetes: File of `KubernetesOptions`; None: there is no cluster.
        secrets: Folder of the files that jobs in containers may ask for.
    """

    home: Path
    store: str
    catalog: str
    environments: Path
    cache: Path
    cache_bytes: int
    orphan_seconds: float
    docker_url: str
    images: str
    kubernetes: Path | None
    secrets: Path

    @property
    def jobs(self) -> Path:
        """Folder with one directory per job."""
        return self.home / "jobs"

    @property
    def job_variables(self) -> dict[str, str]:
        """Environment variables that every job gets."""
        return {CACHE: str(self.cache), CACHE_BYTES: str(self.cache_bytes)}


def load_settings() -> Settings:
    """Read the environment, now.

    Raises:
        ConfigError: `MLPLAT_ORPHAN_SECONDS` or `MLPLAT_CACHE_BYTES` is not a positive number.
    """
    home = Path(os.environ.get("MLPLAT_HOME") or ".mlplat").absolute()
    orphan = os.environ.get("MLPLAT_ORPHAN_SECONDS") or "900"
    try:
        orphan_seconds = float(orphan)
    except ValueError:
        orphan_seconds = 0.0
    if not 0 < orphan_seconds < math.inf:  # nan neither
        raise ConfigError("MLPLAT_ORPHAN_SECONDS is not a time", expected="seconds > 0", got=repr(orphan))
    cache_bytes = os.environ.get(CACHE_BYTES) or str(20 << 30)
    if not cache_bytes.isdecimal() or not int(cache_bytes):
        raise ConfigError(f"{CACHE_BYTES} is not a size", expected="bytes > 0", got=repr(cache_bytes))
    return Settings(
        home=home,
        store=os.environ.get("MLPLAT_STORE") or str(home / "store"),
        catalog=os.environ.get("MLPLAT_CATALOG") or f"sqlite:///{home / 'catalog.db'}",
        environments=Path(os.environ.get("MLPLAT_ENVIRONMENTS") or home / "environments").absolute(),
        cache=Path(os.environ.get(CACHE) or home / "cache").absolute(),
        cache_bytes=int(cache_bytes),
        orphan_seconds=orphan_seconds,
        docker_url=os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock",
        images=os.environ.get("MLPLAT_IMAGES") or IMAGES,
        kubernetes=Path(os.environ["MLPLAT_KUBERNETES"]) if os.environ.get("MLPLAT_KUBERNETES") else None,
        secrets=Path(os.environ.get("MLPLAT_SECRETS") or home / "secrets").absolute(),
    )
