"""Whether an export adds up: every input row in it or left out for one reason, every id as the run has it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from judge.errors import InputError, RunError
from judge.export.chosen import TEXTLESS, UNKNOWN, UNSURE, Chosen
from judge.export.joined_run import called
from judge.export.mining import DOUBTFUL, FEW, LONELY
from judge.export.written import WrittenView
from judge.sql import quoted

FIXES = {
    UNKNOWN: "leave --min-confidence out, or label through an endpoint that tells probabilities",
    UNSURE: "ask for less certainty, or label more",
    DOUBTFUL: "ask for less certainty, or label more",
    TEXTLESS: "choose other --fields, or make the run with --catalogue: its pairs have no texts to write",
    FEW: "ask for fewer --negatives, or label more",
}
"""What to do where a reason left out the most rows."""


class NothingError(InputError):
    """A view or format has no record."""


def account(
    chosen: Chosen, records: Mapping[str, int], unused: Counter[str], *, by_row: bool, opposes: bool = False
) -> WrittenView:
    """The counts of what was written.

    Args:
        chosen: The rows that were to be exported.
        records: Records written, by split.
        unused: Chosen rows that are in no record, by reason.
        by_row: Whether there is a record for each row.
        opposes: Whether rows are set against each other: those that are flagged and undecided never are.

    Raises:
        NothingError: Nothing was written.
        RunError: The counts do not add up.
    """
    left_out = Counter(chosen.left_out) + unused
    used = chosen.input_rows - left_out.total()
    if by_row and sum(records.values()) != used:
        raise RunError(
            f"{called(chosen.run)}: {used:,} rows to export, {sum(records.values()):,} written", "export again"
        )
    if not sum(records.values()):
        reasons = ", ".join(f"{count:,} × {reason}" for reason, count in sorted(left_out.items()))
        # What certainty did not leave out, less of it does not bring back: the reason of most rows says what to do.
        known = [reason for reason, _ in left_out.most_common() if reason in FIXES]
        fix = FIXES[known[0]] if known else "label more"
        fix += ", or export to judgments, which sets no rows against each other" if LONELY in left_out else ""
        raise NothingError(f"{called(chosen.run)}: leaves nothing to export ({reasons})", fix)
    flagged, *_ = chosen.db.execute("SELECT count(*) FROM rows WHERE left_out IS NULL AND flagged").fetchone()
    return WrittenView(
        records=dict(records),
        used=used,
        left_out=dict(sorted(left_out.items())),
        undecided=0 if opposes else flagged,
        files=(),
    )


def check_ids(chosen: Chosen, files: Sequence[Path], columns: Sequence[str]) -> None:
    """Read written rows back, and compare their ids and grades with the run's.

    Args:
        chosen: The rows that were to be exported.
        files: The Parquet files, all splits together.
        columns: SQL of the query's id, the candidate's id and the grade in them.

    Raises:
        RunError: They differ, or a grade is not the guideline's.
    """
    names = ", ".join(map(quoted, files))
    query, candidate, grade = columns
    known = ", ".join(map(str, chosen.values))
    sums = "count(*), sum(hash({}, {}, {}::INTEGER)::HUGEINT)"
    there = chosen.db.execute(
        f"SELECT {sums.format(query, candidate, grade)}, count(*) FILTER ({grade} NOT IN ({known})) "
        f"FROM read_parquet([{names}])"
    ).fetchone()
    ours = chosen.db.execute(
        f"SELECT {sums.format('query_id', 'candidate_id', 'grade')}, 0 FROM rows WHERE left_out IS NULL"
    ).fetchone()
    if there != ours:
        raise RunError(
            f"{called(chosen.run)}: what was written reads back otherwise: {there[0]:,} rows for {ours[0]:,}, "
            f"{there[2]:,} with unknown grades",
            "look at the disk, and export again",
        )
