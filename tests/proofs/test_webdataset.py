"""Stock WebDataset and plain `tar` read our shards; `airflow mlplat datasets import` takes in WebDataset's."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from airflow_mlplat.contract import Ref
from airflow_mlplat.store import Sample, Samples, SpanWriter, open_store
from airflow_mlplat.store.tar import extension, member_stem
from tests.proofs.conftest import ROOT, Proof

STOCK = ROOT / ".venvs/bench/bin/python"
PEER = ROOT / "tests/proofs/webdataset_peer.py"
DAY = "2026-01-31"
AWKWARD = (
    "a b.c",
    "ünï/cödé.jpg",
    "100%",
    "..",
    "/etc/passwd",
    "x//y",
    "~",
    "-rf",
    "C:\\photo",
    "日本" * 30,
    "k" * 200,
)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def stock(*words: str | Path) -> str:
    """What the program says that has WebDataset and not us."""
    done = subprocess.run([STOCK, PEER, *words], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def stock_reads(tars: list[Path]) -> list[dict]:
    return [json.loads(line) for line in stock("read", *tars).splitlines()]


def shards(store_folder: Path, ref: Ref) -> list[dict]:
    """A span's shards as its manifest has them, each with the paths of its files."""
    manifest = json.loads((store_folder / f"manifests/span/{ref.digest}.json").read_text())
    folder = store_folder / "shards"
    return [
        {
            "tar": folder / f"shard-{shard['sha256']}.tar",
            "index": folder / f"index-{shard['index_sha256']}.idx.npy",
            "keys": folder / f"keys-{shard['keys_sha256']}.keys.npy",
        }
        for shard in manifest["shards"]
    ]


def ours(samples: Samples) -> list[dict]:
    """Our samples as a stock reader should see them: no label, which is in the index."""
    found = []
    for row in range(len(samples)):
        media, metadata = samples.media(row), samples.metadata(row)
        member = {extension(media): sha256(media)}
        found.append({"key": member_stem(samples.key(row)), **member, **({"json": metadata} if metadata else {})})
    return found


def a_span_of_ours(folder: Path, images: np.ndarray, labels: np.ndarray) -> Ref:
    """Real images as PNG, JPEG and arrays, over several shards, under plain and awkward keys."""
    from PIL import Image

    def encoded(row: int) -> bytes:
        buffer = io.BytesIO()
        if row % 3 == 2:
            np.save(buffer, images[row])
        else:
            Image.fromarray(images[row] * 15).save(buffer, ("PNG", "JPEG")[row % 3])
        return buffer.getvalue()

    keys = sorted([*AWKWARD, *(f"digits/{row:05}" for row in range(len(images) - len(AWKWARD)))], key=str.encode)
    with SpanWriter(open_store(str(folder)), "digits", DAY, list("0123456789"), shard_bytes=400_000) as writer:
        for row, key in enumerate(keys):
            metadata = {"row": row, "texte": "été"} if row % 4 else None
            writer.add(Sample(key, encoded(row), int(labels[row]) if row % 5 else None, metadata))
        return writer.commit()


def extracted(tars: list[Path], folder: Path) -> tuple[list[str], dict[str, bytes]]:
    """Names that `tar tf` lists, and files that `tar xf` writes."""
    names: list[str] = []
    folder.mkdir()
    for path in tars:
        listed = subprocess.run(["tar", "tf", path], capture_output=True, text=True, check=True)
        names += listed.stdout.splitlines()
        subprocess.run(["tar", "xf", path, "-C", folder], check=True)
    return names, {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def airflow(tmp_path: Path) -> Callable:
    """The real command on a fresh AIRFLOW_HOME: a function from words to (exit code, stdout, stderr)."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "MLPLAT", "PYTHON"))}
    fresh = {"AIRFLOW_HOME": str(tmp_path / "airflow"), "MLPLAT_HOME": str(tmp_path / "mlplat")}

    def run(*words: str | Path) -> tuple[int, str, str]:
        command = [ROOT / ".venv/bin/airflow", "mlplat", "datasets", *words]
        done = subprocess.run(command, env={**inherited, **fresh}, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    return run


def prove_ours_are_read(proof: Proof, folder: Path, digits: tuple) -> None:
    ref = a_span_of_ours(folder / "store", *digits)
    samples, parts = Samples(open_store(str(folder / "store")), ref), shards(folder / "store", ref)
    tars, expected = [part["tar"] for part in parts], ours(samples)
    seen = stock_reads(tars)
    equal = sum(one == other for one, other in zip(seen, expected))
    proof.row(
        equal, f"of {len(samples)} samples in {len(tars)} shards read by WebDataset: key, media, metadata",
        "all, in order", len(seen) == len(expected) == equal and len(tars) > 2,
    )  # fmt: skip
    # FORMAT.md: a row of the index and of the keys is a sample, in the order of the shard.
    labels = np.concatenate([np.load(part["index"])["label"] for part in parts]).tolist()
    keys = [key.decode() for part in parts for key in np.load(part["keys"])["key"].tolist()]
    joined = sum(
        (key, label, one["key"]) == (samples.key(row), samples.labels[row], member_stem(key))
        for row, (key, label, one) in enumerate(zip(keys, labels, seen))
    )
    proof.row(
        joined, "of them joined with their labels by the index and keys files", "all",
        joined == len(samples) == len(labels),
        f"a stock reader sees {sum('cls' in one for one in seen)} labels: they are in the index alone",
    )  # fmt: skip
    plain = sum(unquote(one["key"]) == key for one, key in zip(seen, keys))
    hashed = sum(one["key"].startswith("%sha256-") for one in seen)
    proof.row(
        plain, "of their names give the key by percent-decoding", f"all but {hashed}, too long for a tar header",
        plain + hashed == len(samples) and hashed < 3,
    )  # fmt: skip
    names, files = extracted(tars, folder / "extracted")
    wanted = {
        f"{one['key']}.{name}": samples.metadata(row) if name == "json" else samples.media(row)
        for row, one in enumerate(expected)
        for name in one.keys() - {"key"}
    }
    right = sum(
        wanted.get(name) == (json.loads(content) if name.endswith(".json") else content)
        for name, content in files.items()
    )
    proof.row(
        right, f"of {len(wanted)} files listed by `tar tf` and written by `tar xf`, with the right bytes", "all",
        right == len(wanted) == len(files) and sorted(names) == sorted(wanted),
    )  # fmt: skip


def prove_theirs_are_taken_in(
    proof: Proof, folder: Path, images: np.ndarray, labels: np.ndarray, run: Callable
) -> None:
    source = folder / "source"
    source.mkdir()
    np.savez(folder / "images.npz", images=images, labels=labels)
    stock("write", source, folder / "images.npz")
    tars = sorted(source.iterdir())
    theirs = {one["key"]: one for one in stock_reads(tars)}
    words = ("import", "digits", *tars, "--partition", DAY, "-o", "json")
    code, out, err = run(*words)
    assert code == 0, err
    said = json.loads(out)
    ref = Ref("span", "digits", said["span"])
    store = folder / "mlplat/store"
    samples = Samples(open_store(str(store)), ref)
    read = [
        {
            "key": samples.key(row),
            extension(samples.media(row)): sha256(samples.media(row)),
            **({"cls": samples.classes[label]} if (label := samples.labels[row]) >= 0 else {}),
            **({"json": metadata} if (metadata := samples.metadata(row)) else {}),
        }
        for row in range(len(samples))
    ]
    equal = sum(theirs[one["key"]] == one for one in read)
    proof.row(
        equal, f"of {len(theirs)} samples of {len(tars)} shards by ShardWriter and TarWriter, plain, gz and xz, in "
        "disorder, taken in: key, media, label, metadata", "all",
        equal == len(theirs) == len(images) == said["samples"],
        f"{said['unlabelled']} without a label; set aside: {said['quarantined'] or 'none'}",
    )  # fmt: skip
    code, out, _ = run(*words)
    again = json.loads(out)
    proof.row(
        again["span"][:12], "digest when it is imported again", f"{ref.digest[:12]}, nothing new",
        code == 0 and again["span"] == ref.digest and not again["new"],
    )  # fmt: skip
    back = stock_reads([part["tar"] for part in shards(store, ref)])
    equal = sum(
        {**one, "key": unquote(one["key"])} == {k: v for k, v in theirs[unquote(one["key"])].items() if k != "cls"}
        for one in back
    )
    proof.row(equal, "of them read by WebDataset again from our shards", "all", equal == len(back) == len(theirs))
    prove_a_cut_shard_is_refused(proof, tars[-1], run)


def prove_a_cut_shard_is_refused(proof: Proof, tar: Path, run: Callable) -> None:
    whole = tar.read_bytes()
    tar.write_bytes(whole[: len(whole) // 2])
    code, out, err = run("import", "cut", tar, "--partition", DAY)
    listed = json.loads(run("list", "cut", "--spans", "-o", "json")[1])
    told = next((line for line in err.splitlines() if line.startswith("SourceError: ")), err[-200:])
    proof.row(
        code, "exit code for a shard that is cut off", "64, with file and byte; nothing committed",
        (code, out, listed) == (64, "", []) and str(tar) in told and "is cut off at byte" in told,
        told.replace(str(tar), tar.name),
    )  # fmt: skip


@pytest.mark.proof("webdataset")
def test_webdataset(proof: Proof, tmp_path: Path, digits: tuple, airflow: Callable) -> None:
    prove_ours_are_read(proof, tmp_path, digits)
    prove_theirs_are_taken_in(proof, tmp_path, *digits, airflow)
