"""Hatch's hook: what `scripts/compile` makes goes into the wheel."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CANNOT = (3, 126, 127)
"""Its exit codes where there is no compiler, or no Bash to run it."""


class CompileHook(BuildHookInterface):
    """Compiles; where that cannot be, the wheel is one for every machine."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by Hatch before it builds; `build_data` says what is added to the wheel, and its tag."""
        done = subprocess.run([str(Path(self.root, "scripts", "compile"))], check=False)
        if done.returncode in CANNOT:
            return
        done.check_returncode()
        build_data["artifacts"] += ["airflow_mlplat/compiled/*.so"]
        build_data["pure_python"] = False
        build_data["tag"] = "py3-none-linux_x86_64"  # called through ctypes, by any Python
