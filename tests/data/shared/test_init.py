"""What the shared stream offers, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

from airflow_mlplat.data import shared


def test_public_names(root):
    assert sorted(shared.__all__) == ["SharedIterator", "StreamOptions"]
    program = "import sys, airflow_mlplat.data.shared; print({'PIL', 'cv2', 'simplejpeg'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True, cwd=root).strip() == "set()"
