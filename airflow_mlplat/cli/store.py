"""`airflow mlplat gc` and `fsck`."""

from __future__ import annotations

import sys
from argparse import Namespace

from airflow_mlplat.cli import places
from airflow_mlplat.cli.output import command, print_document
from airflow_mlplat.errors import MlplatError, SpecError


@command
def gc(args: Namespace) -> None:
    """Remove garbage of the store, or count it; and the directories of jobs that ended long ago."""
    from airflow_mlplat.store import collect_garbage

    if not args.grace_seconds >= 0:  # nan too
        raise SpecError("--grace-seconds is no time", expected="seconds >= 0", got=args.grace_seconds)
    launchers, jobs, failed = places.launchers(), 0, []  # of settings that are wrong, before anything is removed
    report = collect_garbage(places.store(), args.grace_seconds, args.dry_run, places.given_files())
    for launcher in launchers:
        try:
            jobs += len(launcher.sweep(args.dry_run))
        except MlplatError as error:  # an engine that is down hides neither what was removed nor the other launchers
            failed.append(error)
    if args.output == "table":
        verb = "would remove" if args.dry_run else "removed"
        print(f"{verb} {report.files} files, {report.bytes} bytes; ended jobs: {jobs}")
    else:
        counted = {"dry_run": args.dry_run, "files": report.files, "bytes": report.bytes, "jobs": jobs}
        print_document(counted, args.output)
    for other in failed[1:]:
        print(f"{type(other).__name__}: {other}", file=sys.stderr)
    if failed:
        raise failed[0]


@command
def fsck(args: Namespace) -> int:
    """Check everything; 1 when something is wrong."""
    from airflow_mlplat.cli.check import check_catalog
    from airflow_mlplat.store import check_store

    store, catalog = places.store(), places.catalog()
    report = check_store(store)
    compared = check_catalog(catalog, store)
    checked, problems = {**report.checked, **compared.checked}, report.problems + compared.problems
    if args.output == "table":
        for problem in problems:
            print(f"{problem.path}: {problem.what}", file=sys.stderr)
        if problems:
            print("Restore what is damaged from a copy, or delete it and run again what made it.", file=sys.stderr)
        print(", ".join(f"{count} {what}" for what, count in checked.items()) + f": {len(problems)} problems")
    else:
        found = [{"path": problem.path, "what": problem.what} for problem in problems]
        print_document({"checked": checked, "problems": found}, args.output)
    return 1 if problems else 0
