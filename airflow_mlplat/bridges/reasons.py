"""Why a record is quarantined instead of becoming a sample. The words appear in manifests; do not change them."""

from __future__ import annotations

MALFORMED = "malformed row"
NO_KEY = "no key"
BAD_KEY = "bad key"
DUPLICATE = "duplicate key"
LABEL_OUTSIDE = "label outside the class list"
MISSING = "missing media"
EMPTY = "empty media"
UNREADABLE = "unreadable media"
OUTSIDE = "media outside its root"
TOO_LARGE = "media too large"


class BadRecord(Exception):
    """A record that becomes no sample; caught by the bridge, never seen by its callers.

    Args:
        reason: One of the constants above.
        detail: What was found, for the person who mends the source.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail
