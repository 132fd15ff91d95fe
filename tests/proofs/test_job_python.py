"""One wheel in images of different Pythons; a wheel of another contract version is refused."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.contract import CONTRACT_VERSION, JobResult, JobSpec, Ref
from airflow_mlplat.errors import ContractError
from airflow_mlplat.launchers import DockerLauncher, JobState
from airflow_mlplat.launchers.container import CONTRACT_LABEL, PYTHON
from tests.proofs.conftest import ROOT, Proof

IMAGES = {"caffe": "3.9", "tensorflow": "3.11", "mxnet": "3.11", "prep": "3.11"}
CODE = """
import sys
from airflow_mlplat.compiled.library import library
from airflow_mlplat.launchers.code_version import code_version
print(*sys.version_info[:2], code_version(), library() is not None)
"""
DOCKERFILE = """
FROM airflow-mlplat/prep:latest
USER root
COPY *.whl /tmp/
RUN pip install --force-reinstall --no-deps /tmp/*.whl
USER 65532:65532
"""


@pytest.mark.proof("job-python")
def test_job_python(proof: Proof, docker_engine: str, docker_client, uv: str, tmp_path: Path) -> None:
    job = Digits(tmp_path, docker_engine)
    pythons, compiled, versions, datasets = 0, 0, set(), {}
    for name, python in IMAGES.items():
        image = f"airflow-mlplat/{name}:latest"
        major, minor, version, loads = run_in(docker_client, image, [PYTHON, "-c", CODE]).split()
        pythons += f"{major}.{minor}" == python
        compiled += loads == "True"
        versions.add(version)
        datasets[name] = job.build_in(docker_client.inspect_image(image)["Id"]).outputs["dataset"]
    proof.row(pythons, "images have the Python that they should", f"{len(IMAGES)}", pythons == len(IMAGES), str(IMAGES))
    proof.row(compiled, "images load what is compiled", f"{len(IMAGES)}", compiled == len(IMAGES))
    proof.row(len(versions), "code version in all images, read from the files there", "1", len(versions) == 1)
    equal = len(set(datasets.values())) == 1
    proof.row("equal" if equal else str(datasets), "digests of a dataset built in each image", "equal", equal)

    other = CONTRACT_VERSION + 1
    honest, lying = make_images(docker_engine, uv, tmp_path, other)
    with pytest.raises(ContractError) as refused:
        DockerLauncher(tmp_path / "jobs", job.connect, honest).image(None)
    told = f"expected {CONTRACT_VERSION}; got {other}" in str(refused.value)
    proof.row(str(refused.value), "by the launcher", "refused, both versions named", told)
    with pytest.raises(ContractError) as refused:  # the job does nothing but leave a result of its own version
        job.build_in(docker_client.inspect_image(lying)["Id"])
    told = f"expected {CONTRACT_VERSION}; got {other}" in str(refused.value)
    proof.row(str(refused.value), "by the job", "refused, both versions named", told)


def run_in(client, image: str, command: list[str]) -> str:
    """What a command prints in an image."""
    made = client.create_container(image, command, network_disabled=True)["Id"]
    client.start(made)
    client.wait(made)
    text = client.logs(made).decode()
    client.remove_container(made)
    return text


def make_images(url: str, uv: str, folder: Path, contract: int) -> tuple[str, str]:
    """Images with a wheel of another contract version: one that says so, and one that has the label of ours."""
    subprocess.run([uv, "build", "--quiet", "--sdist", "--out-dir", folder, ROOT], check=True)
    (archive,) = folder.glob("*.tar.gz")  # all that a wheel is built from
    subprocess.run(["tar", "xf", archive, "-C", folder], check=True)
    source = folder / archive.name.removesuffix(".tar.gz")
    path = source / "airflow_mlplat/contract.py"
    path.write_text(
        path.read_text().replace(f"CONTRACT_VERSION = {CONTRACT_VERSION}", f"CONTRACT_VERSION = {contract}")
    )
    context = folder / "context"
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", context, source], check=True)
    (context / "Dockerfile").write_text(DOCKERFILE)
    names = []
    for label in (contract, CONTRACT_VERSION):
        names.append(f"airflow-mlplat/contract-test-{label}:1")
        build = [
            "docker",
            "--host",
            url,
            "build",
            "--quiet",
            "--label",
            f"{CONTRACT_LABEL}={label}",
            "--tag",
            names[-1],
            context,
        ]
        subprocess.run(
            build,
            check=True,
            stdout=subprocess.DEVNULL,
            env={"DOCKER_BUILDKIT": "0", "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder)},
        )
    return names[0], names[1]


class Digits:
    """The stage `dataset` on a span of small images, in whatever image."""

    def __init__(self, folder: Path, url: str) -> None:
        from docker import APIClient

        from airflow_mlplat.hooks.launchers import readable
        from airflow_mlplat.store import Sample, SpanWriter, open_store

        self.connect = lambda: APIClient(base_url=url)
        self.launcher = DockerLauncher(folder / "jobs", self.connect, grant=readable)
        self.store = open_store(folder / "store")
        with (
            np.load(ROOT / "tests/data/digits.npz") as file,
            SpanWriter(self.store, "digits", "2026-01-01", [str(n) for n in range(10)]) as writer,
        ):
            for number in range(200):
                writer.add(Sample(f"{number:03d}", png(file["images"][number]), int(file["labels"][number]), None))
            self.span: Ref = writer.commit()

    def build_in(self, image: str) -> JobResult:
        """The job's result."""
        spec = JobSpec("dataset", "digits", self.store.url, "c", image, inputs={"spans": [self.span]})
        handle = self.launcher.submit(spec)
        while self.launcher.state(handle) is JobState.RUNNING:
            time.sleep(0.1)
        return self.launcher.result(handle)


def png(image: np.ndarray) -> bytes:
    """A PNG file."""
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
