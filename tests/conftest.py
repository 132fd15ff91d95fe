"""What every test may use. Imports nothing heavy: these tests also run on Python 3.9 without Airflow."""

from __future__ import annotations

import atexit
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import numpy as np
import pytest

# No test judges time: machines are shared.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent

# Airflow reads its environment when it is first imported, which collecting the tests may do: a folder of its own, now.
AIRFLOW_HOME = tempfile.mkdtemp(prefix="mlplat-airflow-")
atexit.register(shutil.rmtree, AIRFLOW_HOME, ignore_errors=True)
os.environ.update(
    AIRFLOW_HOME=AIRFLOW_HOME,
    AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "tests" / "dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    # Of the length that RFC 7518 asks for; the one that Airflow makes up is shorter, and warned of.
    AIRFLOW__API_AUTH__JWT_SECRET="secret" * 11,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings are errors, but where Airflow runs only our own: its libraries have many."""
    for item in items:
        if item.get_closest_marker("airflow"):
            item.add_marker(pytest.mark.filterwarnings("ignore"))
            item.add_marker(pytest.mark.filterwarnings("error:::airflow_mlplat"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """In CI every server is there: a skip is a failure, but for what the job half cannot have."""
    report = (yield).get_result()
    forbidden = os.environ.get("MLPLAT_TEST_FORBID_SKIPS") == "1"
    if forbidden and report.skipped and "not in the job half" not in str(report.longrepr):
        report.outcome, report.longrepr = "failed", f"skipped, which is forbidden here: {report.longrepr}"


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits, real 8x8 grey images: (uint8 (1797, 8, 8), int64 (1797,))."""
    with np.load(ROOT / "tests/data/digits.npz") as file:
        return file["images"], file["labels"]


@pytest.fixture(scope="session")
def png():
    """A function from a uint8 image, (H, W) or (H, W, 3), to PNG bytes."""
    from PIL import Image

    def encode(image: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        return buffer.getvalue()

    return encode


@pytest.fixture(scope="session")
def docker_url() -> str:
    """URL of a real Docker Engine with the project's images (MLPLAT_TEST_DOCKER)."""
    url = os.environ.get("MLPLAT_TEST_DOCKER")
    if not url:
        pytest.skip("no Docker Engine: set MLPLAT_TEST_DOCKER to its URL, and run `make images` there")
    return url


@pytest.fixture(scope="session")
def prep_image(docker_url: str) -> str:
    """Name of the image of jobs without a framework, as `make images` builds it."""
    from airflow_mlplat.launchers.container import IMAGES, image_name

    return image_name(os.environ.get("MLPLAT_IMAGES", IMAGES), None)


@pytest.fixture(scope="session")
def kubernetes_config() -> str:
    """Path of a kubeconfig for a real cluster, whose node has the suite's images (MLPLAT_TEST_KUBERNETES)."""
    path = os.environ.get("MLPLAT_TEST_KUBERNETES")
    if not path:
        start = "set MLPLAT_TEST_KUBERNETES to what `tests/services/kubernetes start` prints"
        pytest.skip(f"no Kubernetes: {start}, and load images there as .ci/run does")
    return path


@pytest.fixture(scope="session")
def airflow_home() -> str:
    """Airflow's folder, with a metadata database."""
    from airflow.utils.db import initdb

    initdb()
    return AIRFLOW_HOME
