"""Everything this package raises on purpose.

MlplatError
├── UserError                 you can mend it; running again unchanged fails again (exit code 64)
│   ├── ConfigError           a setting or an environment is missing or wrong
│   ├── SpecError             an option, a parameter or a JobSpec is malformed
│   ├── PartitionError        no partition could be told, or it does not parse
│   ├── SourceError           the source's query, column or connection is wrong
│   ├── DataError             too many bad samples, or none at all
│   ├── BuildError            the build file fails, or builds the wrong thing
│   ├── LimitError            a job needs more memory than its limit
│   └── NotFoundError         a reference names nothing that exists
└── PlatformError             the platform's or its surroundings' fault; running again may help (exit code 70)
    ├── StoreError            the store cannot be read or written
    │   └── CorruptionError   stored bytes are not what their digest says
    ├── CatalogError          the catalog's database fails
    ├── SourceChangedError    the source changed while it was read
    ├── ContractError         the two halves speak different contract versions
    ├── LaunchError           a job could not be started
    └── JobDiedError          a job ended without a result (killed, out of memory, time limit)

A user error fails an Airflow task at once; a platform error leaves it to the task's retries.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MlplatError(Exception):
    """Root of the tree: what went wrong, what was expected, what was found, and what to do about it.

    Args:
        what: The fact, with the name of the thing concerned.
        expected: What would have been right, if that helps.
        got: What was there instead.
        fix: What the reader can do.
    """

    def __init__(self, what: str, *, expected: object = None, got: object = None, fix: str | None = None) -> None:
        self.what, self.expected, self.got, self.fix = what, expected, got, fix
        message = what
        if expected is not None:
            message += f"; expected {expected}"
        if got is not None:
            message += f"; got {got}"
        message = _ended(message)
        if fix:
            message += f" {_ended(fix)}"
        super().__init__(message)

    def __reduce__(self):
        """Survive pickling between processes, which would call the constructor with the message alone."""
        return _rebuild, (type(self), self.what, self.expected, self.got, self.fix)


def did_you_mean(unknown: Iterable[object], known: Iterable[str]) -> str | None:
    """A hint for names that are not known, where known ones look like them."""
    names = list(known)
    near = [f"{name!r}" for one in unknown for name in difflib.get_close_matches(str(one), names, 1, 0.5)]
    return f"Did you mean {', '.join(near)}?" if near else None


def _ended(sentence: str) -> str:
    """With its full stop, unless it ends by itself."""
    return sentence if sentence.endswith((".", "?", "!", "…")) else f"{sentence}."


def _rebuild(kind: type[MlplatError], what: str, expected: object, got: object, fix: str | None) -> MlplatError:
    return kind(what, expected=expected, got=got, fix=fix)


class UserError(MlplatError):
    """You can mend it; running again unchanged fails again."""


class ConfigError(UserError):
    """A setting or an environment is missing or wrong."""


class SpecError(UserError):
    """An option, a parameter or a JobSpec is malformed."""


class PartitionError(UserError):
    """No partition could be told, or it does not parse."""


class SourceError(UserError):
    """The source's query, column or connection is wrong."""


class DataError(UserError):
    """Too many bad samples, or none at all."""


class BuildError(UserError):
    """The build file fails, or builds the wrong thing."""


class LimitError(UserError):
    """A job needs more memory than its limit."""


class NotFoundError(UserError):
    """A reference names nothing that exists."""


class PlatformError(MlplatError):
    """The platform's or its surroundings' fault; running again may help."""


class StoreError(PlatformError):
    """The store cannot be read or written."""


class CorruptionError(StoreError):
    """Stored bytes are not what their digest says."""


class CatalogError(PlatformError):
    """The catalog's database fails."""


class SourceChangedError(PlatformError):
    """The source changed while it was read."""


class ContractError(PlatformError):
    """The two halves speak different contract versions."""


class LaunchError(PlatformError):
    """A job could not be started."""


class JobDiedError(PlatformError):
    """A job ended without a result: killed, out of memory, or past its time limit."""
