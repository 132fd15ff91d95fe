"""The tree of commands and their arguments; what they do is imported when one is run."""

from __future__ import annotations

from typing import Any

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command, positive_int

_ROOM = "airflow_mlplat.cli"

_OUTPUT = Arg(
    ("-o", "--output"), help="Output format (default: table)", choices=("table", "json", "yaml"), default="table"
)
_LIMIT = Arg(
    ("--limit",), help="Show so many at most, the newest (default: 50)", type=positive_int(allow_zero=False), default=50
)
_ONLY = Arg(("name",), help="Only those of this name", nargs="?")
_REF = Arg(("ref",), help="NAME, NAME@champion, KIND:NAME, NAME@DIGEST or DIGEST (its first 6 digits will do)")
_NODE = Arg(
    ("ref",),
    help="What `show` takes, or a node of a lineage: job:KEY, partition:2026-01-31, file:SHA256, source:DIGEST",
)
_DIRECTION = Arg(
    ("--direction",),
    help="What it was made from (up), what was made from it (down), or both (default: up)",
    choices=("up", "down", "both"),
    default="up",
)
_DRY_RUN = Arg(("--dry-run",), help="Only count", action="store_true")
_GRACE = Arg(
    ("--grace-seconds",),
    help="Younger files stay: longer than any job runs (default: 86400)",
    type=float,
    default=86400.0,
)
_MODEL = Arg(("name",), help="Name of the model, `fashion` or `fashion@champion`")
_FRAMEWORK = Arg(("framework",), help="tensorflow, mxnet or caffe")
_EXPECTED = Arg(("--expected",), help="Only if this digest (its first 6 digits will do) is still the champion")
_SPANS = Arg(("--spans",), help="List spans, which bridges and imports make", action="store_true")
_IMPORT = (
    Arg(("name",), help="Name of the dataset"),
    Arg(("tars",), help="Tar files, plain or packed by gzip, bzip2 or xz; or glob patterns", nargs="+", metavar="tar"),
    Arg(("--partition",), help="The day that the samples belong to, 2026-01-31", required=True),
    Arg(("--classes",), help="Names of the classes in the order of the labels: shirt,coat"),
    Arg(
        ("--classes-file",),
        help="The same, one a line; default: as the dataset's spans have them, or the labels 0 to n",
    ),
    Arg(("--label",), help="Where a sample's label is: cls or json:FIELD (default: cls, if any sample has one)"),
    Arg(
        ("--media",),
        help="Extensions of the media, the first that a sample has is taken: jpg,png (default: all of images, npy)",
    ),
    Arg(
        ("--max-bad-fraction",),
        help="Fail when more than this part of the samples is bad (default: 0.01)",
        type=float,
        default=0.01,
    ),
)


def commands() -> list[Any]:
    """`airflow mlplat` and all below it."""
    return [
        GroupCommand(
            name="mlplat",
            help="Datasets, models, decisions and lineage of MLPlat",
            subcommands=(
                _group("datasets", "Dataset versions, and the spans that they are built from", _datasets()),
                _group("models", "Model versions", _list_and_show("models", "model")),
                _group(
                    "decisions",
                    "Decisions of gates, and rollbacks",
                    (_action("list", "List decisions, the newest first", "decisions.show_list", _ONLY, _LIMIT),),
                ),
                _group("champion", "The champion of a model", _champion()),
                _group(
                    "environments",
                    "The frameworks' environments",
                    (
                        _action(
                            "create", "Make the environment of a framework's jobs", "environments.create", _FRAMEWORK
                        ),
                    ),
                ),
                _action("lineage", "What something was made from, or ended in", "lineage.show", _NODE, _DIRECTION),
                _action("gc", "Remove what crashed and long ended jobs left", "store.gc", _DRY_RUN, _GRACE),
                _action("fsck", "Check every byte of the store, and that the catalog agrees with it", "store.fsck"),
            ),
        )
    ]


def _list_and_show(group: str, kind: str, *more: Arg) -> tuple[Any, ...]:
    return (
        _action("list", f"List {kind} versions, the newest first", f"artifacts.list_{group}", _ONLY, _LIMIT, *more),
        _action("show", f"Show a {kind} version", f"artifacts.show_{kind}", _REF),
    )


def _datasets() -> tuple[Any, ...]:
    left_out = "List the records that are not in a dataset version, or in a span, with the reason for each"
    taken_in = "Take in WebDataset's tar files as the span of a day; DAGs that wait for its asset are not started"
    return (
        *_list_and_show("datasets", "dataset", _SPANS),
        _action("quarantine", left_out, "artifacts.show_quarantine", _REF),
        _action("import", taken_in, "imports.import_tars", *_IMPORT),
    )


def _champion() -> tuple[Any, ...]:
    return (
        _action("show", "Show the champion and those before it", "champion.show", _MODEL),
        _action("rollback", "Go back to the champion before", "champion.rollback", _MODEL, _EXPECTED),
    )


def _group(name: str, text: str, subcommands: tuple[Any, ...]) -> GroupCommand:
    return GroupCommand(name=name, help=text, subcommands=subcommands)


def _action(name: str, text: str, function: str, *args: Arg) -> ActionCommand:
    return ActionCommand(name=name, help=text, func=lazy_load_command(f"{_ROOM}.{function}"), args=(*args, _OUTPUT))
