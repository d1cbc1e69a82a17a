"""Everything that is wrong with pairs or ratings, before a model is loaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from judge.scratch import scratch_folder
from judge.words.guideline import DEFAULT, Guideline, load_guideline
from relevance_judge import shown
from relevance_judge.inputs import Rows, as_file, as_optional_file
from relevance_judge.reading import RatingOptions, Reading
from relevance_judge.serving import default_judge

if TYPE_CHECKING:
    from judge.pairs.stage import Source, Staged
    from judge.ratings.layout import RatingsLayout


@dataclass(frozen=True, repr=False)
class Validated(shown.Result):
    """What is wrong with pairs and catalogue, or with ratings."""

    found: Mapping[str, Any]
    """Counts, problems by kind, the first of each, and notes, as JSON values."""

    @property
    def rows(self) -> int:
        """Input rows."""
        return int(self.found["rows"])

    @property
    def pairs(self) -> int:
        """Pairs to judge, or rated pairs."""
        return int(self.found["pairs"])

    @property
    def problems(self) -> Mapping[str, int]:
        """Rows that are wrong, by kind; empty where `label`, or a reader of ratings, would take all."""
        problems: Mapping[str, int] = self.found["problems"]
        return problems

    @property
    def missing_fields(self) -> tuple[str, ...]:
        """Fields of the guideline that no column brings."""
        return tuple(self.found["missing_fields"])

    @property
    def mined(self) -> Mapping[str, Any] | None:
        """Of a mined file its `pairs`, their number `by_source`, and what is `left_out` of which column; else null."""
        mined: Mapping[str, Any] | None = self.found["mined"]
        return mined

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values, as `judge validate --json` prints it."""
        return dict(self.found)

    def _sheet(self) -> shown.Sheet:
        rows = [(name, f"{self.found[name]:,}") for name in ("rows", "queries", "pairs", "skipped")]
        rows.append(("problems", f"{sum(self.problems.values()):,}"))
        rows += [(kind, f"{count:,}") for kind, count in sorted(self.problems.items())]
        sources = self.mined["by_source"] if self.mined else {}
        rows += [(f"mined from {name}", f"{count:,}") for name, count in sources.items()]
        left_out = self.mined["left_out"] if self.mined else {}
        rows += [(f"{name} left out", f"{found['count']:,}") for name, found in left_out.items()]
        if self.missing_fields:
            rows.append(("fields found nowhere", ", ".join(self.missing_fields)))
        return shown.Sheet("what was read", ("", ""), rows)


def validate(
    pairs: Rows,
    *,
    catalogue: Rows | None = None,
    guideline: str | os.PathLike[str] | None = None,
    judge: str | os.PathLike[str] | None = None,
    **reading: Unpack[RatingOptions],
) -> Validated:
    """Check pairs and catalogue, and tell everything wrong with them; no model is loaded.

    With `rating`, `raters`, `gold` or `grades` the table is read as ratings, as `import_ratings` and `agree` read it.

    Args:
        pairs: What `label` would be given, or ratings.
        catalogue: Candidates with `candidate_id` and their texts.
        guideline: What relevance means; unless given, what the judge was fine-tuned on, or three-level.
        judge: The judge to check for; a fine-tuned one reads the fields that it was fine-tuned on.
        reading: See `RatingOptions`; `skip_bad_rows` is not used.

    Raises:
        InputError: A table as a whole cannot be used.
        ModelError: There is no such judge.
    """
    how = Reading(**reading)
    how.refuse("skip_bad_rows", fix="leave it out: all that is wrong is counted")
    rated = any((how.rating, how.raters, how.gold, how.grades))
    policy = policy_of(None if judge is None else str(judge), None if guideline is None else str(guideline), rated)
    with as_file(pairs, "pairs") as rows, as_optional_file(catalogue, "catalogue") as texts:
        return Validated(as_json(*check(how.source(rows, texts), policy, how.layout if rated else None)))


def policy_of(judge: str | None, guideline: str | None, rated: bool) -> Guideline:
    """What relevance means to those who read the file: people where it is ratings, else the judge.

    Raises:
        InputError: There is no such guideline, or the judge has another.
        ModelError: There is no such judge.
    """
    from judge.labelling.blending import NONE
    from judge.labelling.resolve import JudgeRequest, resolve_judge
    from judge.models.model import check_name

    if judge is None and (rated or guideline):
        return load_guideline(guideline or DEFAULT)
    # Nothing is judged: its blend, and what that needs, is not looked for.
    who = judge or default_judge("transformers")
    policy, judge_config = resolve_judge(JudgeRequest(who, guideline, calibration=Path(NONE)))
    check_name(judge_config.model)
    return policy


def check(source: "Source", policy: Guideline, layout: "RatingsLayout | None") -> tuple["Staged", int | None]:
    """What a file of pairs holds; of ratings, which have a layout, also the number of rows in which raters differ.

    Raises:
        InputError: A file as a whole cannot be used.
    """
    from judge.pairs.stage import stage
    from judge.ratings.reader import stage_ratings

    with scratch_folder("validate") as folder:
        if layout is None:
            return stage(source, policy, Path(folder)), None
        source = replace(source, need_text=False, ids_alone=True)
        staged, read = stage_ratings(source, layout.settled(policy), policy, Path(folder), Path(folder))
        return staged, read.settled.differ


def as_json(staged: "Staged", differ: int | None) -> dict[str, Any]:
    """What was found, as JSON values; `differ` is of ratings the rows in which raters differ, else null."""
    error = staged.scale.error() if staged.scale else None
    names = ("kind", "file", "row", "line", "field", "message", "fix")
    shown = [{name: getattr(problem, name) for name in names} for problem in staged.problems]
    counts = {
        "rows": staged.rows,
        "queries": staged.queries,
        "pairs": staged.rows - staged.skipped,
        "skipped": staged.skipped,
    }
    notes = {
        "unused_columns": list(staged.unused),
        "missing_fields": list(staged.missing),
        "passed_over": dict(staged.passed_over),
    }
    differing = {"raters_differ": differ} if differ is not None else {}
    scale = staged.scale and {
        "values": staged.scale.seen,
        "message": error.message if error else staged.scale.note(),
        "fix": error.hint if error else None,
    }
    found = {"problems": dict(staged.kinds), "first": shown, "scale": scale, "mined": staged.origins.as_json()}
    return {**counts, **differing, **found, **notes}
