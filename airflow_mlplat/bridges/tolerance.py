"""How much may be wrong with a partition before it is refused. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_mlplat.errors import DataError, SpecError


@dataclass(frozen=True)
class Tolerance:
    """When a partition is refused.

    Args:
        max_bad_fraction: The greatest part of the records that may be bad, 0 to 1.
        allow_empty: Whether a partition may have no sample at all.
    """

    max_bad_fraction: float = 0.01
    allow_empty: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.max_bad_fraction <= 1:
            raise SpecError("max_bad_fraction is no fraction", expected="0 to 1", got=self.max_bad_fraction)

    def check(self, subject: str, samples: int, quarantined: Mapping[str, int], examples: Mapping[str, str]) -> None:
        """Refuse a partition that is empty, or has too many bad records.

        Args:
            subject: What it is called in the error.
            samples: How many records are good.
            quarantined: Reason → how many records are bad.
            examples: Reason → one of them, in words.

        Raises:
            DataError: With the count of each reason, and an example.
        """
        bad = sum(quarantined.values())
        if bad > self.max_bad_fraction * (samples + bad):
            reasons = "; ".join(
                f"{reason}: {count}" + (f" (such as {examples[reason]})" if reason in examples else "")
                for reason, count in sorted(quarantined.items())
            )
            raise DataError(
                f"{subject} has too many bad records",
                expected=f"at most {self.max_bad_fraction:.6g} of them",
                got=f"{bad} of {samples + bad} ({reasons})",
                fix="mend the source, or raise max_bad_fraction",
            )
        if samples == 0 and not self.allow_empty:
            raise DataError(
                f"{subject} has no samples",
                expected="at least one",
                got=f"{bad} records, all bad" if bad else "no records",
                fix="wait until the source is complete (SqlPartitionSensor), or pass allow_empty=True",
            )
