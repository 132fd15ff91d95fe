"""The set in every peer's format, written once: `python -m benchmarks.prepare NAME IMAGES FOLDER` writes one."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from benchmarks import peers

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "bench"


def python(environment: str) -> Path:
    """The interpreter of an environment that `scripts/setup` makes."""
    return ROOT / ".venvs" / environment / "bin" / "python"


def run(environment: str, module: str, *arguments: object, timeout_seconds: float = 600) -> str:
    """What a module of ours prints when it runs in an environment.

    Raises:
        RuntimeError: It failed; with the end of what it said.
    """
    command = [python(environment), "-m", f"benchmarks.{module}", *map(str, arguments)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        printed, said = process.communicate(timeout=timeout_seconds)
    finally:
        with suppress(ProcessLookupError):  # a peer's workers must not run on beside the next one
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        raise RuntimeError(f"{module} {arguments} in {environment} ended with {process.returncode}: {said[-2000:]}")
    return printed


def clean_environment() -> dict[str, str]:
    """Variables for a peer's process: ours, without what would change its Python; nothing is asked of the network."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1", "DISABLE_VERSION_CHECK": "1", "DO_NOT_TRACK": "1"}
    return {**kept, **quiet, "PYTHONPATH": str(ROOT)}


def images(count: int) -> Path:
    """The folder of a set of so many images, which is made now if it is not there."""
    folder = CACHE / f"{count}-{_digest('benchmarks/images.py')}" / "images"
    if not (folder / "index.npy").exists():
        run("bench", "images", folder, count)
    return folder


def prepare(name: str, source: Path) -> Path:
    """The folder of a set in a peer's format, which is written now if it is not there.

    Args:
        name: A key of `peers.PEERS`.
        source: The set, by `images`.
    """
    module, environment = peers.PEERS[name]
    store = sorted((ROOT / "airflow_mlplat/store").glob("*.py")) if name == peers.OURS else []
    code = [f"benchmarks/peers/{module}.py", *map(str, store)]
    folder = source.parent / f"{module}-{_digest(*code)}"
    if not folder.exists():
        for stale in source.parent.glob(f"{module}-*"):
            shutil.rmtree(stale)
        part = folder.with_suffix(".part")
        part.mkdir()
        run(environment, "prepare", name, source, part)
        part.rename(folder)
    return folder


def write(name: str, source: str, folder: str) -> None:
    """Write a set in a peer's format; in the peer's environment."""
    from benchmarks.images import Images

    peers.load(name).write(Images(Path(source)), Path(folder))


def _digest(*files: str) -> str:
    """Of the code that makes something: what other code made is made anew."""
    found = hashlib.sha256()
    for file in files:
        found.update((ROOT / file).read_bytes())
    return found.hexdigest()[:8]


if __name__ == "__main__":
    write(*sys.argv[1:])
