"""The decisions of a run as one reading found them, and as a table for its queries."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from judge.errors import RunError
from judge.run.decisions import Decision, Decisions, counting, settling
from judge.run.store import Run


@dataclass(frozen=True)
class Decided:
    """The decisions of a run as one reading found them: others may decide while an export is written."""

    run: Run
    latest: Mapping[tuple[str, str], Decision]
    """The decision that counts, by (query_id, candidate_id)."""
    digest: str | None
    """SHA-256 of what was read; null where there was nothing."""

    @classmethod
    def of(cls, run: Run) -> "Decided":
        """Read a run's decisions."""
        decisions = Decisions(run.path)
        raw = decisions.read()
        return cls(
            run, counting(decisions.parsed(raw or b"")), None if raw is None else hashlib.sha256(raw).hexdigest()
        )

    @cached_property
    def settled(self) -> Mapping[tuple[str, str], Decision]:
        """Those of `latest` that settle their pair."""
        return settling(self.latest)

    def table(self) -> Any:
        """The decisions that settle a pair, as an Arrow table.

        Columns: `query_id, candidate_id, grade` (the new one; null where the label was kept), `by_people, decided_by,
        decision_reason`.

        Raises:
            RunError: A decision names a grade that the guideline does not have.
        """
        import pyarrow as pa

        found, values = list(self.settled.values()), self.run.manifest.values
        for decision in found:
            if decision.grade is not None and decision.grade not in values:
                raise RunError(
                    f"{self.run.path}: a decision on {decision.candidate_id!r} has grade {decision.grade}",
                    f"decide again; the guideline's grades are {', '.join(map(str, values))}",
                )
        text = pa.string()
        return pa.table(
            {
                "query_id": pa.array([d.query_id for d in found], text),
                "candidate_id": pa.array([d.candidate_id for d in found], text),
                "grade": pa.array([d.grade for d in found], pa.int32()),
                "by_people": pa.array([d.source != "judge" for d in found], pa.bool_()),
                "decided_by": pa.array([d.author for d in found], text),
                "decision_reason": pa.array([d.reason for d in found], text),
            }
        )
