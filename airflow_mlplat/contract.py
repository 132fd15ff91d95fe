"""What the Airflow half and the job half agree on; nothing else passes between them.

The operator writes a `JobSpec` as `spec.json` into a job's directory, a launcher runs
`python -m airflow_mlplat.runtime DIRECTORY/spec.json`, the job leaves a `JobResult` as `result.json` beside it. Both
are JSON, versioned by `CONTRACT_VERSION`, described by `schemas/*.json`. Standard library only: this file runs in
the oldest container.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import typing
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from airflow_mlplat.errors import ContractError, SpecError, UserError

CONTRACT_VERSION = 1
"""Raised by one when a field changes its meaning; both halves refuse any other."""

SPEC_FILE, RESULT_FILE, LOG_FILE = "spec.json", "result.json", "log.txt"

CHECKPOINTS = "checkpoints"
"""Folder in a job's directory that a launcher leaves in place when it starts the job again."""

CACHE, CACHE_BYTES = "MLPLAT_CACHE", "MLPLAT_CACHE_BYTES"
"""What a launcher tells every job: where the host's cache is, and how large."""

OUTBOX = "MLPLAT_OUTBOX"
"""What a launcher tells a job that may only read the store: the folder to put its outputs into."""

WORKER, WORKERS, WORKER_CHECKPOINTS = "MLPLAT_WORKER", "MLPLAT_WORKERS", "MLPLAT_WORKER_CHECKPOINTS"
"""What a launcher tells each worker of a job that has several: its number from 0; `host:port` of all, in their order
and with commas between, each port free for what the framework's workers say to each other; and the folder in which
all of them find the checkpoints that worker 0 wrote."""

ENVIRONMENT = {
    "MLPLAT_HOME": "Folder of everything the platform keeps: store, catalog, jobs. Default: ./.mlplat",
    "MLPLAT_STORE": "URL of the store. Default: $MLPLAT_HOME/store",
    "MLPLAT_CATALOG": "SQLAlchemy URL of the catalog. Default: sqlite:///$MLPLAT_HOME/catalog.db",
    "MLPLAT_ENVIRONMENTS": "Folder with one virtual environment per framework. Default: $MLPLAT_HOME/environments",
    CACHE: "Folder, on a local disk, of what jobs of a host share: shards of a store that is elsewhere, and "
    "decoded batches. Default: $MLPLAT_HOME/cache",
    CACHE_BYTES: "How much of the disk the shards there may take. Default: 21474836480 (20 GiB)",
    "DOCKER_HOST": "The Docker Engine for containers. Default: unix:///var/run/docker.sock",
    "MLPLAT_IMAGES": "Images of containers, {name} for tensorflow, mxnet, caffe or prep. "
    "Default: airflow-mlplat/{name}:latest",
    "MLPLAT_SECRETS": "Folder of the files that a container may see by limits secrets. Default: $MLPLAT_HOME/secrets",
    "MLPLAT_KUBERNETES": "JSON file about the cluster of launcher='kubernetes' (docs/kubernetes.md). Default: none",
    "MLPLAT_ORPHAN_SECONDS": "A job that no task has looked at for so many seconds ends itself. Default: 900",
}
"""Every environment variable the package reads: by `hooks.settings`, when asked, never at import; `CACHE` and
`CACHE_BYTES` in a job by `runtime.host`, too."""

KINDS = ("span", "dataset", "model", "predictions", "evaluation", "decision")


class ExitCode(IntEnum):
    """How a job's process ends."""

    OK = 0
    USER_ERROR = 64  # EX_USAGE of sysexits.h: running again unchanged fails again
    PLATFORM_ERROR = 70  # EX_SOFTWARE of sysexits.h: running again may help


def canonical_json(document: Any) -> bytes:
    """The one spelling of a JSON document: sorted keys, no spaces, UTF-8, no NaN (RFC 8785 in spirit).

    Raises:
        SpecError: The document holds something that JSON cannot say.
    """
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()  # fails for a lone surrogate
    except (TypeError, ValueError) as error:
        raise SpecError(
            "document is not plain JSON", got=error, fix="use str, int, float, bool, None, list, dict"
        ) from error


def digest(content: bytes | Any) -> str:
    """SHA-256 in hex (64 characters) of bytes, or of a document's canonical JSON."""
    return hashlib.sha256(content if isinstance(content, bytes) else canonical_json(content)).hexdigest()


def check_name(name: Any) -> None:
    """Raise SpecError unless a dataset or model may have this name: it must not look like `KIND:NAME@VERSION`."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        expected = "letters, digits, '-', '_' and '.', the first a letter or digit"
        raise SpecError("that is no name for a dataset or a model", expected=expected, got=repr(name))


@dataclass(frozen=True)
class Ref:
    """The name of one immutable thing: what passes between tasks instead of data.

    Args:
        kind: One of `KINDS`.
        name: The dataset's or model's name, `fashion`.
        digest: SHA-256 of its manifest, 64 hex characters.
    """

    kind: str
    name: str
    digest: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise SpecError("reference of unknown kind", expected=" | ".join(KINDS), got=repr(self.kind))
        if not isinstance(self.digest, str) or not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise SpecError(
                f"reference to {self.kind} {self.name!r} has no digest", expected="64 hex digits", got=repr(self.digest)
            )

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}@{self.digest[:12]}"

    def to_json(self) -> dict[str, str]:
        """As a plain dict with the keys `kind`, `name`, `digest`."""
        return {"kind": self.kind, "name": self.name, "digest": self.digest}

    @classmethod
    def from_json(cls, document: Any) -> Ref:
        """The inverse of `to_json`.

        Raises:
            SpecError: Not a dict with exactly the keys `kind`, `name`, `digest`.
        """
        if not isinstance(document, dict) or set(document) != {"kind", "name", "digest"}:
            raise SpecError("not a reference", expected='{"kind", "name", "digest"}', got=repr(document))
        return cls(**document)


@dataclass(frozen=True)
class JobSpec:
    """One run of one stage. Its `key` names the work: equal keys are the same work, done once.

    Args:
        stage: Key of `stages.STAGES`: `dataset`, `train`, `predict`, `evaluate`, `compare`.
        name: What the outputs are called, `fashion`.
        store: URL of the store that inputs are read from and outputs written to.
        params: The stage's options, as plain JSON.
        inputs: Role → references, in order: `{"dataset": [Ref]}`.
        files: File name → SHA-256 of a blob in the store: `{"build.py": "9f…"}`.
        framework: `tensorflow`, `mxnet`, `caffe`, or None for stages without one.
        code_version: Digest of the job half's source.
        image: What the job runs in: an image digest, or a digest of the environment's packages.
        workers: How many processes do the job together, each in a container of its own; worker 0 leaves the result.
    """

    stage: str
    name: str
    store: str
    code_version: str
    image: str
    params: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, list[Ref]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    framework: str | None = None
    workers: int = 1
    contract_version: int = CONTRACT_VERSION

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise SpecError("a job has workers", expected="1 or more", got=self.workers)

    @property
    def key(self) -> str:
        """SHA-256 of what the result depends on: all fields but where the store lies."""
        document = self.to_json()
        del document["store"]
        return digest(document)

    def to_json(self) -> dict[str, Any]:
        """As a plain dict, following `schemas/job_spec.json`."""
        document = _fields(self)
        document["inputs"] = {role: [ref.to_json() for ref in refs] for role, refs in self.inputs.items()}
        if self.workers == 1:
            del document["workers"]  # as before there could be others: the keys of what was made then stay
        return document

    @classmethod
    def from_json(cls, document: Any) -> JobSpec:
        """The inverse of `to_json`.

        Raises:
            ContractError: Written by another contract version.
            SpecError: A field is missing, unknown or of the wrong type.
        """
        document = _checked(cls, document)
        inputs = {role: [Ref.from_json(ref) for ref in refs] for role, refs in document["inputs"].items()}
        return cls(**{**document, "inputs": inputs})


@dataclass(frozen=True)
class JobError:
    """Why a job failed, in words for its user.

    Args:
        kind: `user` or `platform`, as in `errors`.
        type: Name of the exception's class.
        message: What, expected, got, what to do.
        traceback: For the log.
    """

    kind: str
    type: str
    message: str
    traceback: str = ""

    @classmethod
    def of(cls, error: BaseException, traceback: str = "") -> JobError:
        """Describe an exception."""
        kind = "user" if isinstance(error, UserError) else "platform"
        return cls(kind, type(error).__name__, str(error) or type(error).__name__, traceback)


@dataclass(frozen=True)
class JobResult:
    """What a job leaves behind. A result without `error` is committed to the store and never computed again.

    Args:
        job_key: `JobSpec.key`.
        stage: As in the spec.
        outputs: Role → reference: `{"model": Ref}`.
        metrics: Plain JSON that follows from the inputs alone: accuracy, loss per epoch, decision.
        stats: Plain JSON that does not: seconds, samples per second, position resumed from.
        error: None on success.
    """

    job_key: str
    stage: str
    outputs: dict[str, Ref] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    error: JobError | None = None
    contract_version: int = CONTRACT_VERSION

    def to_json(self) -> dict[str, Any]:
        """As a plain dict, following `schemas/job_result.json`."""
        document = _fields(self)
        document["outputs"] = {role: ref.to_json() for role, ref in self.outputs.items()}
        document["error"] = _fields(self.error) if self.error else None
        return document

    @classmethod
    def from_json(cls, document: Any) -> JobResult:
        """The inverse of `to_json`.

        Raises:
            ContractError: Written by another contract version.
            SpecError: A field is missing, unknown or of the wrong type.
        """
        document = _checked(cls, document)
        outputs = {role: Ref.from_json(ref) for role, ref in document["outputs"].items()}
        error = JobError(**_checked(JobError, document["error"])) if document["error"] else None
        return cls(**{**document, "outputs": outputs, "error": error})


def _fields(instance: Any) -> dict[str, Any]:
    return {f.name: getattr(instance, f.name) for f in dataclasses.fields(instance)}


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "dict": (dict,),
    "str | None": (str, type(None)),
    "JobError | None": (dict, type(None)),
}


def _checked(cls: Any, document: Any) -> dict[str, Any]:
    """The document with defaults filled in, after checking names and JSON types of all fields."""
    if not isinstance(document, dict):
        raise SpecError(f"not a {cls.__name__}", expected="a JSON object", got=type(document).__name__)
    version = document.get("contract_version", CONTRACT_VERSION if cls is JobError else None)
    if version != CONTRACT_VERSION:
        raise ContractError(
            f"{cls.__name__} of another contract version",
            expected=CONTRACT_VERSION,
            got=version,
            fix="install the same airflow-mlplat wheel in Airflow's environment and in the job's",
        )
    known = {f.name: f for f in dataclasses.fields(cls)}
    unknown = sorted(set(document) - set(known))
    required = {
        n for n, f in known.items() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    missing = sorted(required - set(document))
    if unknown or missing:
        raise SpecError(
            f"{cls.__name__} has the wrong fields", expected=sorted(known), got=f"unknown {unknown}, missing {missing}"
        )
    filled = {}
    for name, f in known.items():
        default = f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
        value = filled[name] = document.get(name, default)
        types = _JSON_TYPES[typing.cast(str, f.type).split("[")[0]]
        if not isinstance(value, types) or isinstance(value, bool):
            raise SpecError(f"{cls.__name__}.{name} has the wrong type", expected=f.type, got=repr(value))
    return filled
