"""The README's *Your own data*, as it is written, in an empty folder with the installed wheel."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.proofs.conftest import ROOT, Proof

MARKED = re.compile(r"<!-- own-data: (?P<what>[\w./-]+) -->\n```\w+\n(?P<text>.*?)```", re.DOTALL)


def write_digits(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """A folder of JPEG files, and two CSV files of labels."""
    from PIL import Image

    (folder / "images").mkdir(parents=True)
    for table, rows in (("train.csv", range(1500)), ("test.csv", range(1500, 1797))):
        with (folder / table).open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "file", "label"])
            for row in rows:
                Image.fromarray(images[row]).save(folder / "images" / f"{row}.jpg", quality=95)
                writer.writerow([row, f"{row}.jpg", labels[row]])


@pytest.mark.proof("own-data")
def test_own_data(proof: Proof, clean_environment: Path, uv: str, tmp_path: Path, digits: tuple) -> None:
    parts = {found["what"]: found["text"] for found in MARKED.finditer((ROOT / "README.md").read_text())}
    assert set(parts) == {"install", "dags/digits.py", "dags/models/net.py", "run"}
    write_digits(tmp_path / "data", *digits)
    for what in ("dags/digits.py", "dags/models/net.py"):
        path = tmp_path / what
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(parts[what])
    for what, most in (("dags/digits.py", 40), ("dags/models/net.py", 20)):
        lines = len([line for line in parts[what].splitlines() if line.strip()])
        proof.row(lines, f"lines of {what}", f"<= {most}", lines <= most)

    # The wheel under test is installed already; everything else is typed as the README has it.
    typed = [line[2:] for what in ("install", "run") for line in parts[what].splitlines() if line.startswith("$ ")]
    script = "\n".join(["set -e", *(line for line in typed if not line.startswith("pip install"))])
    script += "\nairflow mlplat champion show digits --output json > champion.json\n"
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "MLPLAT", "PYTHON", "VIRTUAL_ENV"))
    }
    path = f"{clean_environment / 'bin'}:{Path(uv).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**inherited, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    champion = json.loads((tmp_path / "champion.json").read_text())
    proof.row(
        len(champion), "champion after one `airflow dags test`", "1", len(champion) == 1, json.dumps(champion)[:200]
    )
