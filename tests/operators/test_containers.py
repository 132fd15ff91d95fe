"""Jobs in containers as tasks: the same digits DAG, by a real Docker Engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_mlplat.contract import Ref

pytestmark = [pytest.mark.airflow, pytest.mark.docker, pytest.mark.timeout(600)]

OPTIONS = {"epochs": 4, "batch_size": 32, "shape": [8, 8, 1]}
LOOKS_AROUND = """
import json, os
from pathlib import Path

def build(params):
    store = Path({store!r})
    seen = sorted(path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file())
    tried = {{}}
    for path in {places!r}:
        try:
            tried[path] = sorted(os.listdir(path))
        except OSError as error:
            tried[path] = error.strerror
    for path in (store / "blobs" / "x", Path({home!r}) / "x", Path("/x")):
        try:
            path.write_text("x")
            tried[f"write {{path}}"] = "written"
        except OSError as error:
            tried[f"write {{path}}"] = error.strerror
    environment = sorted(name for name in os.environ if name.startswith(("AIRFLOW", "AWS", "MLPLAT_CATALOG")))
    raise RuntimeError("SEEN " + json.dumps([os.getuid(), seen, tried, environment]) + " NEES")
"""


@pytest.fixture(autouse=True)
def engine(docker_url, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_url)


@pytest.fixture
def containers(docker_url, home: Path):
    """A function: all containers of the home's jobs."""
    from docker import APIClient

    from airflow_mlplat.contract import digest

    client = APIClient(base_url=docker_url)
    label = f"airflow-mlplat.installation={digest(str(home / 'jobs'))[:12]}"
    yield lambda: client.containers(all=True, filters={"label": label})
    for found in client.containers(all=True, filters={"label": label}):
        client.remove_container(found["Id"], force=True)
    client.close()


@pytest.mark.parametrize("framework", ["tensorflow", "mxnet", "caffe"])
def test_the_main_job(run_dag, catalog, containers, home: Path, framework: str) -> None:
    run = run_dag(launcher="docker", framework=framework, options=OPTIONS, limits={"memory_bytes": 2 << 30})
    assert run.state == "success", run.log[-5000:]
    assert catalog.alias("digits") is not None
    nodes = catalog.lineage("digits@champion")["nodes"].values()
    images = {node["detail"]["image"] for node in nodes if node["kind"] == "job"}
    assert containers() == []
    assert not list(home.glob("jobs/*/store"))
    assert len(images) == 2
    assert all(image.startswith("sha256:") for image in images)
    again = run_dag(launcher="docker", framework=framework, options=OPTIONS, limits={"memory_bytes": 2 << 30})
    assert again.log.count("Reused the result of job") == 5
    files = catalog.artifact(catalog.alias("digits").digest).document["files"]
    weights = home / "store/blobs" / files["weights.npz"]
    weights.unlink()
    mended = run_dag(launcher="docker", framework=framework, options=OPTIONS, limits={"memory_bytes": 2 << 30})
    assert mended.log.count("Reused the result of job") == 4, mended.log[-5000:]
    assert mended.state == "success" and weights.exists()


def test_user_code_sees_its_inputs_and_nothing_else(run_dag, catalog, home: Path, tmp_path: Path) -> None:
    places = [str(home), str(home / "jobs"), str(home / "sources"), str(Path.home()), "/var/run/docker.sock"]
    text = LOOKS_AROUND.format(store=str(home / "store"), home=str(home), places=places)
    (tmp_path / "look.py").write_text(text)
    run_dag(launcher="docker", build=str(tmp_path / "look.py"), options=OPTIONS)
    results = [json.loads(path.read_text()) for path in home.glob("jobs/*/*/0/result.json")]
    (error,) = [result["error"]["message"] for result in results if result["error"]]
    told = error.split("SEEN ", 1)[1].split(" NEES", 1)[0]
    uid, seen, tried, environment = json.loads(told)
    dataset = catalog.resolve("dataset:digits")
    assert uid != 0
    assert environment == []
    kinds = {path.split("/")[1] for path in seen if path.startswith("manifests/")}
    assert kinds == {"dataset", "span"}  # no model, no predictions, no other dataset
    assert f"manifests/dataset/{Ref.from_json(dataset.to_json()).digest}.json" in seen
    assert len([path for path in seen if path.startswith("manifests/dataset/")]) == 1
    assert not [path for path in seen if path.startswith("results/")]
    assert [path for path in tried if tried[path] == "written"] == []
    assert tried[str(home / "sources")] == tried["/var/run/docker.sock"] == "No such file or directory"
    assert tried[str(home / "jobs")] != sorted(path.name for path in (home / "jobs").iterdir())


def test_the_kernel_kills_for_memory_and_the_task_says_so(run_dag) -> None:
    run = run_dag(launcher="docker", options=OPTIONS, limits={"memory_bytes": 64 << 20})
    assert run.log.count("AirflowFailException") > 0  # which Airflow does not retry
    assert "over its memory limit of 64 MiB" in run.log
