"""What the figures depend on: the machine and the versions. No names of hosts or users."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.prepare import python

LIBRARIES = {
    "bench": (
        *(
            "array-record",
            "grain",
            "litdata",
            "lmdb",
            "mosaicml-streaming",
            "pyarrow",
            "pylance",
            "torch",
            "webdataset",
        ),
        *("aiohttp", "fsspec", "obstore", "numpy", "opencv-python-headless", "simplejpeg", "google-crc32c"),
    ),
    "tensorflow": ("tensorflow-cpu",),
    "mxnet": ("mxnet",),
    "job-half": ("numpy", "opencv-python-headless", "simplejpeg", "google-crc32c"),
}
"""Environment → packages whose versions count."""
_ASK = (
    "import json, platform, sys; from importlib.metadata import version; "
    "print(json.dumps({'Python': platform.python_version(), **{name: version(name) for name in sys.argv[1:]}}))"
)


def facts() -> dict[str, Any]:
    """The machine, the load on it, and the versions in each environment that is there."""
    versions = {
        environment: json.loads(subprocess.check_output([python(environment), "-c", _ASK, *libraries], text=True))
        for environment, libraries in LIBRARIES.items()
        if python(environment).exists()
    }
    return {
        "processor": _line("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int((_line("/proc/meminfo", "MemTotal") or "0").split()[0]) / (1 << 20), 1),
        "kernel": platform.release().split("-")[0],
        "load_1_minute": round(os.getloadavg()[0], 2),
        "versions": versions,
    }


def _line(path: str, name: str) -> str | None:
    """What a file of `name: value` lines says."""
    lines = Path(path).read_text().splitlines() if Path(path).exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)
