from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from tests.bridges.tars import sample, write_tar

DAY, OTHER = "2026-01-31", "2026-02-01"


@pytest.fixture
def tars(tmp_path):
    """Six samples of three classes in two tar files, one packed; and a caption."""
    write_tar(tmp_path / "tars/0.tar", [*sample("b", 1, by="ann"), *sample("a", 0), *sample("f", 2)])
    write_tar(tmp_path / "tars/1.tar.gz", [*sample("d", 1), ("e.png", b"\x89PNG e"), ("e.txt", b"?"), *sample("c", 0)])
    return SimpleNamespace(folder=tmp_path / "tars", every=str(tmp_path / "tars/*"))


@pytest.fixture
def import_(mlplat):
    """A function from words to what `datasets import photos WORDS` says, as JSON."""

    def run(*words, day=DAY):
        code, out, err = mlplat("datasets", "import", "photos", *words, "--partition", day, "-o", "json")
        assert code == 0, err
        return json.loads(out)

    return run


def test_a_span_is_made_once(mlplat, import_, tars, places):
    from airflow_mlplat.catalog import open_catalog
    from airflow_mlplat.contract import Ref
    from airflow_mlplat.hooks.jobs import JobHook
    from airflow_mlplat.store import Samples, open_store

    said = import_(tars.every)
    ref = Ref("span", "photos", said["span"])
    assert said == {
        "name": "photos", "partition": DAY, "span": ref.digest, "new": True, "restates": None, "samples": 6,
        "unlabelled": 1, "quarantined": {}, "members_left": {"txt": 1}, "classes": ["0", "1", "2"],
        "classes_from": "guessed from the labels", "classes_differ_from": None,
    }  # fmt: skip
    samples = Samples(open_store(places.store), ref)
    assert [(samples.key(i), int(samples.labels[i])) for i in range(6)] == list(zip("abcdef", (0, 1, 0, 1, -1, 2)))
    assert samples.metadata(1) == {"by": "ann"} and samples.media(1) == b"\x89PNG a photo of b"
    row = open_catalog(places.catalog).current_span("photos", DAY)
    assert row.ref == ref and row.source["kind"] == "webdataset"
    assert row.source["paths"] == [f"{tars.folder}/0.tar", f"{tars.folder}/1.tar.gz"]
    again = import_(f"{tars.folder}/1.tar.gz", f"{tars.folder}/0.tar")
    assert again == {**said, "new": False, "classes_from": f"the span of {DAY}"}
    assert len(open_catalog(places.catalog).span_history("photos", DAY)) == 1
    assert JobHook().missing_spans("photos", [DAY]) == []  # what a waiting dataset task asks


def test_commands_show_it(mlplat, import_, tars):
    digest = import_(tars.every)["span"]
    (row,) = json.loads(mlplat("datasets", "list", "--spans", "-o", "json")[1])
    assert (row["name"], row["digest"], row["partition"], row["samples"], row["classes"]) == (
        "photos", digest, DAY, 6, 3,
    )  # fmt: skip
    assert mlplat("datasets", "list")[1] == "No data found\n"
    for text in ("photos", digest[:8], f"span:photos@{digest}"):
        assert json.loads(mlplat("datasets", "show", text, "-o", "json")[1])["digest"] == digest
    code, out, _ = mlplat("lineage", "span:photos", "-o", "json")
    assert code == 0 and f"{tars.folder}/0.tar" in out


def test_as_a_table(mlplat, tars):
    code, out, _ = mlplat("datasets", "import", "photos", tars.every, "--partition", DAY)
    said = dict(line.split(None, 1) for line in out.splitlines())
    assert code == 0 and said["classes"] == "3: 0 … 2" and said["samples"] == "6" and said["new"] == "true"


def test_other_bytes_restate_the_day(import_, tars):
    before = import_(tars.every)["span"]
    write_tar(tars.folder / "0.tar", sample("a", 1))
    said = import_(tars.every)
    assert said["restates"] == before and said["new"] and said["samples"] == 4


def test_what_is_set_aside_is_told_and_listed(mlplat, import_, tars):
    write_tar(tars.folder / "2.tar", [*sample("g", "hat"), ("h.cls", b"0")])
    said = import_(tars.every, "--classes", "shirt, coat,shoe", "--max-bad-fraction", "0.5")
    assert said["quarantined"] == {"label outside the class list": 1, "missing media": 1}
    assert said["samples"] == 6 and said["classes_from"] == "given"
    rows = json.loads(mlplat("datasets", "quarantine", "photos", "-o", "json")[1])
    assert [(row["key"], row["reason"], row["detail"], row["by"]) for row in rows] == [
        ("g", "label outside the class list", "'hat'", "bridge"),
        ("h", "missing media", "the record names none", "bridge"),
    ]


def test_classes_of_a_file_and_labels_of_the_json(import_, tmp_path):
    write_tar(tmp_path / "0.tar", [*sample("a", kind="coat"), *sample("b", kind=0)])
    (tmp_path / "classes.txt").write_text("\ufeffshirt\r\n\ncoat\r\n", encoding="utf-8")
    said = import_(str(tmp_path / "0.tar"), "--label", "json:kind", "--classes-file", str(tmp_path / "classes.txt"))
    assert said["classes"] == ["shirt", "coat"] and said["unlabelled"] == 0


def test_a_later_day_has_the_classes_of_the_days_before(import_, tmp_path):
    for name, members in (("0", [*sample("a", 0), *sample("b", 1)]), ("1", sample("c", 0)), ("2", sample("d"))):
        write_tar(tmp_path / f"{name}.tar", members)
    assert import_(str(tmp_path / "0.tar"))["classes"] == ["0", "1"]
    for name, day in (("1", OTHER), ("2", "2026-02-02")):
        said = import_(str(tmp_path / f"{name}.tar"), day=day)
        assert said["classes"] == ["0", "1"] and said["classes_from"].startswith("the span of 2026-0")


def test_labels_that_the_days_before_lack_are_told(mlplat, import_, tmp_path):
    write_tar(tmp_path / "0.tar", [*sample("a", 0), *sample("b", 1)])
    write_tar(tmp_path / "1.tar", [*sample("a", 0), *sample("b", 2)])
    write_tar(tmp_path / "2.tar", [*sample("a", "cat"), *sample("b", 1)])
    import_(str(tmp_path / "0.tar"))
    code, _, err = mlplat("datasets", "import", "photos", str(tmp_path / "1.tar"), "--partition", OTHER)
    told = (
        f"DataError: the classes of the span of {DAY} lack labels of the tar files; expected 0, 1; got '2'. pass --cl"
    )
    assert code == 64 and told in err
    said = import_(str(tmp_path / "1.tar"), "--classes", "cat,dog", "--max-bad-fraction", "0.5")
    assert said["quarantined"] == {"label outside the class list": 1}
    assert said["classes_differ_from"] is None  # of this day's own span, which it replaces
    said = import_(str(tmp_path / "2.tar"), day=OTHER)
    assert said["classes"] == ["cat", "dog"] and said["classes_differ_from"] is None  # by name, and by place
    said = import_(str(tmp_path / "2.tar"), "--classes", "cat,dog,owl", day=OTHER)
    assert said["classes_differ_from"] == DAY


def test_without_labels_there_are_no_classes(import_, tmp_path):
    write_tar(tmp_path / "0.tar", sample("a"))
    said = import_(str(tmp_path / "0.tar"))
    assert (said["classes"], said["classes_from"], said["unlabelled"]) == ([], "no labels", 1)


def test_media_by_extension(import_, tmp_path):
    write_tar(tmp_path / "0.tar", [("a.jpg", b"\xff\xd8\xff"), ("a.png", b"\x89PNG\r\n\x1a\n")])
    assert import_(str(tmp_path / "0.tar"))["members_left"] == {"png": 1}
    assert import_(str(tmp_path / "0.tar"), "--media", "png,jpg")["members_left"] == {"jpg": 1}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none.tar"], "SourceError: tar file '{}/none.tar' does not exist. see that it is there."),
        (["none-*.tar"], "SourceError: no tar file is there; got none-*.tar. give tar files as WebDataset"),
        (["0.tar", "--media", "webp"], "DataError: no sample of the tar files has media; expected webp; got 2 cls"),
        (["0.tar", "--label", "json:kind"], "DataError: no sample of the tar files has the label json:kind; got 2 cls"),
        (["0.tar", "--label", "kind"], "SpecError: label says no place of a label; expected cls or json:FIELD"),
        (["0.tar"], "DataError: the classes cannot be told from the labels; expected whole numbers from 0, none left"),
        (["0.tar", "--classes", "a", "--classes-file", "x"], "SpecError: both --classes and --classes-file are given"),
        (["0.tar", "--classes-file", "x"], "SpecError: --classes-file cannot be read; expected UTF-8"),
        (["0.tar", "--classes", "a,a"], "SpecError: a class is listed twice"),
        (["0.tar", "--classes", "a,b,c"], "DataError: partition 2026-01-31 of photos has too many bad records"),
        (["cut.tar"], "SourceError: tar file '{}/cut.tar' is cut off at byte 512; expected all 1 bytes of 'a.cls'"),
    ],
)  # fmt: skip
def test_mistakes_are_told(mlplat, tmp_path, monkeypatch, words, told):
    monkeypatch.chdir(tmp_path)
    write_tar(tmp_path / "0.tar", [*sample("a", 2), *sample("b", 3)])
    (tmp_path / "cut.tar").write_bytes((tmp_path / "0.tar").read_bytes()[:512])
    code, out, err = mlplat("datasets", "import", "photos", *words, "--partition", DAY)
    last = [line for line in err.splitlines() if "Error: " in line][-1]
    assert (code, out) == (64, "") and last.startswith(told.format(tmp_path)), err
    assert not list(tmp_path.rglob("manifests/span/*"))


@pytest.mark.parametrize("words", [["photos", "0.tar"], ["photos", "--partition", DAY]])
def test_words_that_are_missing(mlplat, words):
    assert mlplat("datasets", "import", *words)[0] == 2


def test_a_name_and_a_day_are_checked_first(mlplat):
    for name, day, told in (("a/b", DAY, "SpecError: "), ("photos", "31.1.2026", "PartitionError: partition does not")):
        code, _, err = mlplat("datasets", "import", name, "0.tar", "--partition", day)
        assert code == 64 and err.startswith(told)
