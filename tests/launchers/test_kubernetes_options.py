"""What an installation says of its cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from airflow_mlplat.contract import CONTRACT_VERSION
from airflow_mlplat.errors import ConfigError
from airflow_mlplat.launchers.kubernetes_options import VOLUMES, KubernetesOptions, is_immutable, read_options

IMAGE = {"image": "x/prep:1", "code_version": "c", "contract_version": 1}
LEAST = {"volume": {"hostPath": {"path": "/data"}}, "mounted_at": "/data", "images": {"prep": IMAGE}}
PAGE = Path(__file__).parents[2] / "docs/kubernetes.md"


@pytest.fixture
def written(tmp_path):
    """A function that writes a document to a file."""

    def written(document) -> Path:
        (tmp_path / "kubernetes.json").write_text(json.dumps(document))
        return tmp_path / "kubernetes.json"

    return written


def test_the_least(written):
    found = read_options(written(LEAST))
    assert found == KubernetesOptions(**LEAST)
    assert (found.namespace, found.conn_id, found.image_pull_policy, found.gpus) == ("default", None, "IfNotPresent", 1)


def test_the_file_that_the_page_shows(tmp_path):
    (text,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (tmp_path / "shown.json").write_text(text)
    found = read_options(tmp_path / "shown.json")
    assert found.namespace == "mlplat"
    assert set(found.images) == {path.parent.name for path in (PAGE.parents[1] / "docker").glob("*/Dockerfile")}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({**LEAST, "namspace": "x"}, r"has unknown fields; .*; got 'namspace'\. Did you mean 'namespace'\?"),
        ({**LEAST, "namspace": "x", "q": 1}, r"; got 'namspace', 'q'\. Did you mean 'namespace'\?"),
        ({**LEAST, "q": 1}, r"has unknown fields; expected volume \| mounted_at .* pending_seconds; got 'q'\.$"),
        ({"volume": LEAST["volume"]}, r"lacks mounted_at, images\. add it: docs/kubernetes.md"),
        ([], r"is no object; .*got list"),
        (None, r"is no object; .*got NoneType"),
    ],
    ids=str,
)
def test_unknown_and_missing_fields_are_named(written, document, message):
    with pytest.raises(ConfigError, match=message):
        read_options(written(document))


@pytest.mark.parametrize("text", [None, "{", "\udcff"], ids=["none", "cut", "binary"])
def test_a_file_that_does_not_read(tmp_path, text):
    path = tmp_path / "kubernetes.json"
    if text is not None:
        path.write_bytes(text.encode(errors="surrogateescape"))
    fix = r"write it: docs/.* or unset that" if text is None else "mend it: docs/"
    with pytest.raises(ConfigError, match=rf"MLPLAT_KUBERNETES .*cannot be read; expected a JSON file.*{fix}"):
        read_options(path)


@pytest.mark.parametrize("option", ["volume", "cache"])
def test_volumes_that_kubernetes_does_not_know(written, option):
    with pytest.raises(ConfigError, match=rf"{option} is not valid; .*'hostpath'.*Did you mean 'hostPath'\?"):
        read_options(written({**LEAST, option: {"hostpath": {"path": "/data"}}}))


def test_volumes_that_kubernetes_knows():
    client = pytest.importorskip("kubernetes.client")
    assert set(VOLUMES) == set(client.V1Volume.attribute_map.values()) - {"name"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("volume", {}),
        ("volume", {"hostPath": "/data"}),
        ("volume", {"hostPath": {}, "nfs": {}}),
        ("cache", None),
        ("mounted_at", "data"),
        ("images", []),
        ("namespace", ""),
        ("conn_id", 1),
        ("node_selector", {"gpu": 1}),
        ("tolerations", ["gpu"]),
        ("image_pull_secrets", "secret"),
        ("image_pull_policy", "Sometimes"),
        ("service_account", ""),
        ("gpu_resource", None),
        ("gpus", 0),
        ("gpus", 0.5),
        ("gpus", True),
        ("secret", ["s3"]),
        ("pending_seconds", 0),
    ],
    ids=str,
)
def test_values_that_are_not_valid(written, field, value):
    with pytest.raises(ConfigError, match=rf"Kubernetes option {field} is not valid; expected .*; got "):
        read_options(written({**LEAST, field: value}))


@pytest.mark.parametrize(
    "image",
    [
        None,
        "x:1",
        {"image": "x:1"},
        {**IMAGE, "code_version": ""},
        {**IMAGE, "contract_version": "1"},
        {**IMAGE, "x": 1},
    ],
    ids=str,
)
def test_images_that_say_too_little(written, image):
    with pytest.raises(ConfigError, match=r"images: 'prep'; expected .*contract_version.*--describe"):
        read_options(written({**LEAST, "images": {"prep": image}}))


def test_images_whose_name_may_be_anothers_tomorrow(written):
    with pytest.raises(ConfigError, match=r"image 'x:latest' may change.*push it with a tag of its own"):
        read_options(written({**LEAST, "images": {"prep": {**IMAGE, "image": "x:latest"}}}))


@pytest.mark.docker
def test_what_scripts_images_describes(written, docker_url, prep_image, root):
    name = "airflow-mlplat/described-{name}:1"
    environment = {**os.environ, "DOCKER_HOST": docker_url, "MLPLAT_IMAGES": name}

    def run(*command: str) -> str:
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    run("docker", "tag", prep_image, name.replace("{name}", "prep"))
    described = json.loads(run(str(root / "scripts/images"), "--describe", "prep"))
    found = read_options(written({**LEAST, "images": described})).images["prep"]
    assert found["image"] == "airflow-mlplat/described-prep:1"  # pushed nowhere
    assert re.fullmatch("[0-9a-f]{64}", found["code_version"])
    assert found["contract_version"] == CONTRACT_VERSION
    run("docker", "rmi", name.replace("{name}", "prep"))


@pytest.mark.parametrize(
    ("image", "valid"),
    [
        ("registry:5000/x/prep:2026-01-31", True),
        ("registry:5000/x/prep", False),
        ("prep", False),
        ("prep:latest", False),
        ("prep:latest-1", True),
        ("x/prep@sha256:" + "0" * 64, True),
        ("x/prep@sha256:0", False),
    ],
)
def test_names_that_stay_one_images(image, valid):
    assert is_immutable(image) is valid
