"""Counts the samples that cannot be used, and stops before a damaged data set passes for a small one."""

from __future__ import annotations

from ..errors import BadSample, InputError

LIMIT = 0.05
"""Largest share of bad samples that a run puts up with."""
_SHOWN = 5


class Tally:
    """Bad samples of a set, by id."""

    def __init__(self, total: int, limit: float = LIMIT) -> None:
        self.total = total
        self.limit = limit
        self.skipped: dict[str, str] = {}
        """Id of each bad sample, with the reason."""

    def add(self, bad: BadSample) -> None:
        """Note a bad sample.

        Raises:
            InputError: more than the limit of all samples are bad.
        """
        self.skipped[bad.id] = bad.reason
        if len(self.skipped) > self.limit * self.total:
            raise InputError(
                f"At least {len(self.skipped)} of {self.total} samples cannot be used, more than "
                f"{100 * self.limit:g} %: "
                f"{self.listed()} Repair or remove them."
            )

    def listed(self) -> str:
        """The first bad samples with their reasons, one sentence each."""
        shown = [f"{name}: {reason.rstrip('.')}." for name, reason in list(self.skipped.items())[:_SHOWN]]
        more = len(self.skipped) - len(shown)
        return " ".join([*shown, f"And {more} more."] if more else shown)
