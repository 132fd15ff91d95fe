"""What the Kubernetes launcher must be told of a cluster and of the images there; one JSON file of an installation."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_mlplat.errors import ConfigError, did_you_mean

VOLUMES = (
    "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "configMap", "csi", "downwardAPI",
    "emptyDir", "ephemeral", "fc", "flexVolume", "flocker", "gcePersistentDisk", "gitRepo", "glusterfs",
    "hostPath", "image", "iscsi", "nfs", "persistentVolumeClaim", "photonPersistentDisk", "portworxVolume",
    "projected", "quobyte", "rbd", "scaleIO", "secret", "storageos", "vsphereVolume",
)  # fmt: skip
"""What Kubernetes knows as a volume's source. Of any other name it makes an empty folder, without a word."""
PAGE = "docs/kubernetes.md"
PULL_POLICIES = ("IfNotPresent", "Always", "Never")


@dataclass(frozen=True)
class KubernetesOptions:
    """How jobs run in one namespace of one cluster.

    Args:
        volume: Source of the volume that holds MLPLAT_HOME and a store on disk, as in a pod's `volumes`:
            `{"persistentVolumeClaim": {"claimName": "mlplat"}}`.
        mounted_at: Where that volume is mounted on Airflow's side, absolute.
        images: Framework, or `prep`, → `image`, `code_version`, `contract_version`; `scripts/images --describe`
            prints it. Each is named by its digest, or by a tag that never moves: a job's key holds the name.
        cache: Source of the volume that jobs see as MLPLAT_CACHE, on a disk of their node; by default each pod has its
            own. `{"hostPath": {"path": "/var/cache/mlplat"}}`, writable for the jobs' user, is for all pods of a node.
        namespace: Of the jobs.
        conn_id: Airflow connection to the cluster; None: the cluster that Airflow runs in, or ~/.kube/config.
        node_selector: Label → value of nodes that jobs may run on.
        tolerations: Of nodes' taints, as in a pod.
        image_pull_secrets: Names of secrets with which nodes pull images.
        image_pull_policy: One of `PULL_POLICIES`.
        service_account: Of the pods, which get no token of it; None: the namespace's default.
        gpu_resource: What a GPU is called there.
        gpus: How many each worker of a job gets at least, if it gets any; the option `devices` may ask for more.
        secret: Name of the Kubernetes Secret whose keys are what jobs may ask for by limits secrets; None: nothing.
        pending_seconds: How long a pod may wait for a node, or for its image, until its job is given up.
    """

    volume: Mapping[str, Any]
    mounted_at: str
    images: Mapping[str, Mapping[str, Any]]
    cache: Mapping[str, Any] = field(default_factory=lambda: {"emptyDir": {}})
    namespace: str = "default"
    conn_id: str | None = None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: list[Any] = field(default_factory=list)
    image_pull_secrets: list[str] = field(default_factory=list)
    image_pull_policy: str = "IfNotPresent"
    service_account: str | None = None
    gpu_resource: str = "nvidia.com/gpu"
    gpus: int = 1
    secret: str | None = None
    pending_seconds: float = 900

    def __post_init__(self) -> None:
        for name, (valid, expected) in _VALID.items():
            value = getattr(self, name)
            if not valid(value):
                is_source = name in ("volume", "cache") and isinstance(value, Mapping)
                fix = did_you_mean(set(value) - set(VOLUMES), VOLUMES) if is_source else None
                raise ConfigError(f"Kubernetes option {name} is not valid", expected=expected, got=repr(value), fix=fix)
        for framework, image in self.images.items():
            if not is_image(image):
                expected = '{"image", "code_version", "contract_version"}'
                fix = "scripts/images --describe prints it"
                raise ConfigError(f"Kubernetes option images: {framework!r}", expected=expected, got=image, fix=fix)
            if not is_immutable(image["image"]):
                raise ConfigError(
                    f"image {image['image']!r} may change without its name, which is part of jobs' keys",
                    expected="NAME@sha256:DIGEST, or NAME:TAG with another tag than latest",
                    fix="push it with a tag of its own",
                )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_text_or_none(value: Any) -> bool:
    return value is None or _is_text(value)


def _is_path(value: Any) -> bool:
    return _is_text(value) and value.startswith("/")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")


def _maps_to(valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and all(_is_text(key) and valid(value[key]) for key in value)


def _is_list_of(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _is_volume(value: Any) -> bool:
    return (
        _maps_to(lambda source: isinstance(source, Mapping))(value) and len(value) == 1 and value.keys() <= set(VOLUMES)
    )


_VALID: dict[str, tuple[Callable[[Any], bool], str]] = {
    "volume": (_is_volume, '{"hostPath": {"path": "/x"}}'),
    "cache": (_is_volume, '{"hostPath": {"path": "/x"}}'),
    "mounted_at": (_is_path, "an absolute path"),
    "images": (_maps_to(lambda value: True), '{"prep": {"image", "code_version", "contract_version"}}'),
    "namespace": (_is_text, "a name"),
    "conn_id": (_is_text_or_none, "a connection's id, or null"),
    "node_selector": (_maps_to(lambda value: isinstance(value, str)), "labels as text"),
    "tolerations": (_is_list_of(dict), "a list of objects"),
    "image_pull_secrets": (_is_list_of(str), "a list of names"),
    "image_pull_policy": (PULL_POLICIES.__contains__, " | ".join(PULL_POLICIES)),
    "service_account": (_is_text_or_none, "a name, or null"),
    "gpu_resource": (_is_text, "a name"),
    "gpus": (lambda value: _is_number(value) and isinstance(value, int), "a whole number > 0"),
    "secret": (_is_text_or_none, "a name, or null"),
    "pending_seconds": (_is_number, "seconds > 0"),
}
"""Field → what is valid, and how to say that."""


def is_image(document: Any) -> bool:
    """Whether a document describes an image."""
    known = {"image": str, "code_version": str, "contract_version": int}
    return (
        isinstance(document, Mapping)
        and set(document) == set(known)
        and all(isinstance(document[name], kind) and document[name] for name, kind in known.items())
    )


def is_immutable(image: str) -> bool:
    """Whether an image's name is that of one image for good; a tag but `latest` is taken for one that never moves."""
    return bool(re.fullmatch(r"[^@\s]+@sha256:[0-9a-f]{64}|[^@\s]+:(?!latest$)\w[\w.-]*", image))


def read_options(path: Path) -> KubernetesOptions:
    """The options in a JSON file.

    Raises:
        ConfigError: It is not there, or no JSON; a field is missing, unknown or not valid.
    """
    fields = dataclasses.fields(KubernetesOptions)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        missing = f"write it: {PAGE} shows one; or name another in MLPLAT_KUBERNETES, or unset that"
        fix = missing if isinstance(error, FileNotFoundError) else f"mend it: {PAGE} shows one"
        what = f"MLPLAT_KUBERNETES {str(path)!r} cannot be read"
        raise ConfigError(what, expected="a JSON file", got=error, fix=fix) from error
    needed = {name.name for name in fields if name.default is name.default_factory is dataclasses.MISSING}
    _check_fields(f"MLPLAT_KUBERNETES {str(path)!r}", document, [each.name for each in fields], needed)
    return KubernetesOptions(**document)


def _check_fields(what: str, document: Any, known: list[str], needed: set[str]) -> None:
    """Raise ConfigError where they are not those of the options, and say which are wrong."""
    if not isinstance(document, dict):
        raise ConfigError(f"{what} is no object", expected="{…}", got=type(document).__name__, fix=f"see {PAGE}")
    unknown = [name for name in document if name not in known]
    if unknown:
        fix, got = did_you_mean(unknown, known), ", ".join(map(repr, unknown))
        raise ConfigError(f"{what} has unknown fields", expected=" | ".join(known), got=got, fix=fix)
    missing = [name for name in known if name in needed and name not in document]
    if missing:
        raise ConfigError(f"{what} lacks {', '.join(missing)}", fix=f"add it: {PAGE} shows one")
