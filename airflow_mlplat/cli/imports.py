"""`airflow mlplat datasets import`: WebDataset's tar files become the span of a partition."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlplat.cli.output import command, print_document
from airflow_mlplat.contract import check_name
from airflow_mlplat.errors import DataError, SourceError, SpecError

if TYPE_CHECKING:
    from airflow_mlplat.bridges import WebDatasetSource
    from airflow_mlplat.bridges.survey import Survey
    from airflow_mlplat.hooks.jobs import JobHook

_FIRST, _LAST = "0001-01-01", "9999-12-31"
_SHOWN = 5


@command
def import_tars(args: Namespace) -> None:
    """Bridge the tar files as the partition's span, and say what was taken in and what was not."""
    import getpass

    from airflow_mlplat.bridges.partition import parse_partition
    from airflow_mlplat.catalog import RunInfo
    from airflow_mlplat.hooks.bridge import BridgeHook
    from airflow_mlplat.hooks.jobs import JobHook
    from airflow_mlplat.store import Samples

    check_name(args.name)
    partition = parse_partition(args.partition)
    files, seen = _look(args, partition)
    installation = JobHook()
    before = installation.catalog.current_span(args.name, partition)
    source, origin = _source(args, files, seen, _known_classes(installation, args.name, partition))
    run = RunInfo("", f"command line, {getpass.getuser()}", "import", -1, partition)
    bridged = BridgeHook().bridge(source, args.name, run, max_bad_fraction=args.max_bad_fraction)
    classes = list(source.classes or ())
    facts = {
        "name": args.name,
        "partition": partition,
        "span": bridged.ref.digest,
        "new": before is None or before.ref != bridged.ref,
        "restates": bridged.restates.digest if bridged.restates else None,
        "samples": bridged.samples,
        "unlabelled": int((Samples(installation.store, bridged.ref).labels < 0).sum()),
        "quarantined": bridged.quarantined,
        "members_left": seen.left,
        "classes": classes,
        "classes_from": origin,
        "classes_differ_from": _differing(installation, args.name, partition, list(map(str, classes))),
    }
    if args.output == "table" and classes:
        facts["classes"] = f"{len(classes)}: {classes[0]} … {classes[-1]}"
    print_document(facts, args.output)


def _look(args: Namespace, partition: str) -> tuple[WebDatasetSource, Survey]:
    """The tar files as a source without labels, and what they hold; before anything is written."""
    from airflow_mlplat.bridges import WebDatasetSource
    from airflow_mlplat.bridges.survey import survey
    from airflow_mlplat.bridges.webdataset_source import check_label

    check_label(args.label)
    files = WebDatasetSource(_files(args.tars, partition))
    if args.media is not None:
        files = replace(files, extensions=_words(args.media))
    seen = survey(files, partition, args.label or "cls")
    found = ", ".join(f"{count} {name}" for name, count in seen.members.items()) or "no samples"
    # Options that fit no sample at all are a slip, not bad samples.
    if not seen.media:
        raise DataError(
            "no sample of the tar files has media",
            expected=" | ".join(files.extensions),
            got=found,
            fix="give tar files as WebDataset writes them; --media names the extensions of the media",
        )
    if args.label and not seen.labels:
        raise DataError(f"no sample of the tar files has the label {args.label}", got=found, fix="correct --label")
    return files, seen


def _source(
    args: Namespace, files: WebDatasetSource, seen: Survey, known: tuple[tuple[str, ...], str] | None
) -> tuple[WebDatasetSource, str]:
    """The source with its labels, and where its class list comes from."""
    from airflow_mlplat.bridges.survey import guessed_classes

    given = _given_classes(args)
    if given is not None:
        classes, origin = given, "given"
    elif known is not None:
        classes, origin = known
        _check_known(classes, origin, seen)
    elif seen.labels:
        classes, origin = guessed_classes(seen.labels), "guessed from the labels"
    else:
        return files, "no labels"
    return replace(files, label=args.label or "cls", classes=classes), origin


def _check_known(classes: tuple[str, ...], origin: str, seen: Survey) -> None:
    """A class list that nobody gave is not held against labels that it lacks."""
    from airflow_mlplat.bridges.webdataset_source import class_places

    places = {str(number) for number, _ in enumerate(class_places(list(classes)))}
    lacking = sorted(set(seen.labels) - set(classes) - places)
    if lacking:
        raise DataError(
            f"the classes of {origin} lack labels of the tar files",
            expected=", ".join(classes[:_SHOWN]) + (", …" if len(classes) > _SHOWN else ""),
            got=", ".join(map(repr, lacking[:_SHOWN])) + (", …" if len(lacking) > _SHOWN else ""),
            fix="pass --classes or --classes-file: with a list that is given, such samples are set aside",
        )


def _known_classes(installation: JobHook, name: str, partition: str) -> tuple[tuple[str, ...], str] | None:
    """The class list that the dataset's spans have already, and of which day: the same day's, else the latest.

    A guess for each day would differ from day to day, and no dataset is built over spans of different classes.
    """
    spans = installation.catalog.window(name, _FIRST, _LAST)
    for row in sorted(spans, key=lambda row: (row.partition == partition, row.partition), reverse=True):
        if known := installation.catalog.artifact(row.ref).document["classes"]:
            return tuple(known), f"the span of {row.partition}"
    return None


def _differing(installation: JobHook, name: str, partition: str, classes: list[str]) -> str | None:
    """The latest other day whose span has other classes: a dataset over both must be given classes of its own."""
    for row in reversed(installation.catalog.window(name, _FIRST, _LAST)):
        if row.partition != partition and installation.catalog.artifact(row.ref).document["classes"] != classes:
            return row.partition
    return None


def _files(tars: list[str], partition: str) -> tuple[str, ...]:
    """The files themselves, absolute: the same ones are the same source, however they were written."""
    from airflow_mlplat.bridges import WebDatasetSource

    found = WebDatasetSource(tuple(str(Path(tar).absolute()) for tar in tars)).files(partition)
    if not found:
        raise SourceError("no tar file is there", got=", ".join(tars), fix="give tar files as WebDataset writes them")
    return tuple(sorted(found))


def _given_classes(args: Namespace) -> tuple[str, ...] | None:
    if args.classes is not None and args.classes_file is not None:
        raise SpecError("both --classes and --classes-file are given", expected="one of them")
    if args.classes is not None:
        return _words(args.classes)
    if args.classes_file is None:
        return None
    try:
        lines = Path(args.classes_file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(
            "--classes-file cannot be read",
            expected="UTF-8, one class a line",
            got=f"{type(error).__name__}: {error}",
        ) from error
    return tuple(line.strip() for line in lines if line.strip())


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for part in text.split(",") if (word := part.strip()))
