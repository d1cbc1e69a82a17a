"""A label's whole story out of its run: the input row, the prompt, the scores, what was flagged and decided of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from judge.calibration.temperature import undo
from judge.errors import InputError
from judge.labelling.inherit import judged_in
from judge.labelling.prompt_replay import Asked, ask_again
from judge.pairs.origin import has_origin
from judge.records import Pair, Status
from judge.run.decisions import Decision, Decisions, Verdict, counting
from judge.run.flags import Flags
from judge.run.labels import BLENDED
from judge.run.lookup import find_pairs, key_table
from judge.run.store import Run

UNLABELLED = "not labelled yet"
NEAR = 3
"""Queries, or candidates, that an error suggests."""

TOLD = {"row", "query_id", "query", "candidate_id", "candidate", "grade"}
"""What of a flag the trace says elsewhere."""
ALIKE = 0.8
"""The Jaro-Winkler similarity above which a further query is suggested."""


@dataclass(frozen=True)
class Trace:
    """Everything that a run knows of one pair."""

    run: str
    fingerprint: str
    parts: Mapping[str, str | None]
    """What made the label."""
    files: Mapping[str, str]
    """The input files as the user named them."""
    row: int
    """The input row that was judged, or the first of the pair, counted from 1."""
    other_rows: Sequence[Mapping[str, Any]]
    """Rows of the same pair that were skipped: `row, reason`."""
    query_id: str
    query: str | None
    """Null where the row has none, and was skipped for it."""
    candidate_id: str
    locale: str | None
    candidate: Mapping[str, str]
    """The fields as normalised."""
    given_grade: int | None
    """The grade that the input row brought, if it did."""
    mined: Mapping[str, Any] | None
    """Where the pair was mined: `source, rank, score, relation, changed, found_by, systems`; null where it was not."""
    asked: Asked | None
    """How the judge was asked; null where nobody was: the row was skipped, or people graded it."""
    status: str
    grade: int | None
    """The label's own."""
    grades: Mapping[int, str]
    """The guideline's grades, ascending, with their names."""
    probabilities: Sequence[float] | None
    """As the label has them: calibrated, where the judge is."""
    uncalibrated: Sequence[float] | None
    """Before the calibration; null where there is none, or the run does not hold them."""
    features: Mapping[str, float | None] | None
    """What the texts say to a blend: `cosine, overlap`; null where there is none, or the run does not hold them."""
    calibration: Mapping[str, Any] | None
    """Temperature and biases, and the blend where there is one, where the run holds them."""
    expected_grade: float | None
    outside_mass: float | None
    confidence: float | None
    """The likeliest grade's probability."""
    threshold: float | None
    """The confidence below which the judge abstains; null where it never does."""
    reason: str | None
    judged_in: str | None
    """The directory of the earlier run that judged it, where `judge refresh` took its label over; null else."""
    flags: Sequence[Mapping[str, Any]]
    """Type, strength, suggestion and evidence of each `Flag`, strongest first, without what is said above."""
    decisions: Sequence[Decision]
    """In the order in which they came; the last one that is no judge's opinion counts."""
    final_grade: int | None
    """After the decision that counts: what an export has."""
    final_status: str

    def as_json(self) -> dict[str, Any]:
        """A dict of JSON values."""
        plain = {**asdict(self), "decisions": [decision.model_dump(mode="json") for decision in self.decisions]}
        return plain | {"asked": self.asked.as_json() if self.asked else None}

    @property
    def counts(self) -> Decision | None:
        """The decision that counts."""
        return counting(self.decisions).get((self.query_id, self.candidate_id))


def trace(run: Run, query: str, candidate_id: str, judge: str | None = None) -> Trace:
    """Gather a label's story.

    Args:
        run: The run; it need not be finished.
        query: The query's id, or its words.
        candidate_id: The candidate's.
        judge: Where the judge is now, if its name in the run no longer finds it: a model's name or directory.

    Raises:
        InputError: The run has no such pair; the hint names near ones.
    """
    rows = _find(run, query, candidate_id)
    pair, label = rows[0], _label(run, rows[0]["row"])
    manifest = run.manifest
    candidate = {name: text for name, text in (pair["candidate"] or {}).items() if text is not None}
    key = (pair["query_id"], pair["candidate_id"])
    decisions = [d for d in Decisions(run.path) if d.pair == key]
    changed = _changed(label, counting(decisions).get(key))
    probabilities, calibration = label["probabilities"], manifest.calibration
    threshold = manifest.parts.get("threshold")
    return Trace(
        run=str(run.path),
        fingerprint=manifest.fingerprint,
        parts=manifest.parts,
        files=manifest.files,
        row=pair["row"],
        other_rows=[{"row": other["row"], "reason": other["skip"]} for other in rows[1:]],
        query_id=pair["query_id"],
        query=pair["query"],
        candidate_id=pair["candidate_id"],
        locale=pair["locale"],
        candidate=candidate,
        given_grade=pair["grade"],
        mined=pair.get("mined"),
        asked=_asked(run, pair, candidate, judge),
        status=label["status"],
        grade=label["grade"],
        grades={int(grade["value"]): grade["name"] for grade in manifest.guideline["grades"]},
        probabilities=probabilities,
        uncalibrated=before_calibration(label, calibration) if probabilities and calibration else None,
        features={name: label[name] for name in BLENDED[1:]} if BLENDED[0] in label else None,
        calibration=calibration,
        expected_grade=label["expected_grade"],
        outside_mass=label["outside_mass"],
        confidence=max(probabilities) if probabilities else None,
        threshold=float(threshold) if threshold is not None else None,
        reason=label["reason"],
        judged_in=judged_in(run.path, pair["row"]),
        flags=[flag.model_dump(mode="json", exclude=TOLD) for flag in Flags(run.path).of(*key)],
        decisions=decisions,
        final_grade=label["grade"] if changed is None else changed,
        final_status=label["status"] if changed is None else Status.GRADED.value,
    )


def _asked(run: Run, pair: Mapping[str, Any], candidate: Mapping[str, str], judge: str | None) -> Asked | None:
    manifest = run.manifest
    if pair["skip"] is not None or manifest.by_people:
        return None
    if manifest.members:
        return Asked("the answers of several judges were averaged: trace the runs that it was made from")
    given = Pair(pair["row"], pair["query_id"], pair["query"], pair["candidate_id"], candidate, pair["locale"])
    return ask_again(manifest, given, judge)


def _changed(label: Mapping[str, Any], last: Decision | None) -> int | None:
    """The grade in place of the label's; an export leaves skipped rows skipped, whatever was decided."""
    if last is None or last.verdict is not Verdict.CHANGE or label["status"] == Status.SKIPPED:
        return None
    return last.grade


def before_calibration(label: Mapping[str, Any], calibration: Mapping[str, Any]) -> Sequence[float] | None:
    """The judge's own probabilities of a label; null where a blend made them and kept none of its judge's."""
    if calibration.get("blend"):
        kept: Sequence[float] | None = label.get(BLENDED[0])
        return kept
    temperature, bias = float(calibration["temperature"]), calibration["bias"]
    found: list[float] = undo(label["probabilities"], temperature, bias).tolist()
    return found


def _find(run: Run, query: str, candidate_id: str) -> list[dict[str, Any]]:
    """The rows of a pair: the one that was judged first, if there is one. `query` is an id or words."""
    names: tuple[str, ...] = ("row", "query_id", "query", "candidate_id", "locale", "candidate", "grade", "skip")
    names += ("mined",) if has_origin(run.pairs_path) else ()
    with run.database(keys=key_table([(query, None, candidate_id)])) as db:
        find_pairs(db)
        row, pairs = db.execute("SELECT row, pairs FROM found").fetchall()[0]
        if pairs > 1:
            sql = "SELECT DISTINCT query_id FROM meant JOIN pairs USING (query_id) WHERE candidate_id = ? ORDER BY 1"
            ids = [query_id for (query_id,) in db.execute(sql, [candidate_id]).fetchall()]
            raise InputError(
                f"{run.path}: the words {query!r} belong to the query ids {', '.join(ids)}",
                f"name one, such as {ids[0]}",
            )
        if row is None:
            raise _absent(db, run.path, query, candidate_id)
        found = db.execute(
            f"""SELECT {", ".join(f"p.{name}" for name in names)}
                FROM pairs p JOIN pairs found USING (query_id, candidate_id)
                WHERE found.row = ? ORDER BY p.skip IS NOT NULL, p.row""",
            [row],
        ).fetchall()
    return [dict(zip(names, each, strict=True)) for each in found]


def _absent(db: Any, path: Path, query: str, candidate_id: str) -> InputError:
    """What to say of a pair that is not there: near queries, near candidates of the query, or who else has it."""
    near = f"ORDER BY jaro_winkler_similarity(lower({{0}}), lower($text)) DESC, {{0}} LIMIT {NEAR}"
    known = db.execute("SELECT query_id, text FROM meant ORDER BY ALL").fetchall()
    if not known:
        like = "jaro_winkler_similarity(lower(query), lower($text))"
        sql = f"SELECT query, any_value(query_id), {like} FROM pairs WHERE query IS NOT NULL GROUP BY 1 "
        found = db.execute(sql + near.format("query"), {"text": query}).fetchall()
        # The nearest always, others only where they are near: three at any rate would name some of no likeness.
        hint = " or ".join(f"{text!r} ({key})" for n, (text, key, alike) in enumerate(found) if not n or alike > ALIKE)
        return InputError(f"{path}: has no query {query!r}", f"did you mean {hint}?")
    ids = [row[0] for row in known]
    sql = "SELECT DISTINCT candidate_id FROM pairs WHERE list_contains($ids, query_id) AND candidate_id IS NOT NULL "
    found = db.execute(sql + near.format("candidate_id"), {"ids": ids, "text": candidate_id}).fetchall()
    others = db.execute(
        "SELECT DISTINCT query FROM pairs WHERE candidate_id = $id ORDER BY 1 LIMIT 3", {"id": candidate_id}
    ).fetchall()
    hint = f"it has {', '.join(repr(name) for (name,) in found)}, among others"
    hint += f"; that candidate stands under {' and '.join(repr(text) for (text,) in others)}" if others else ""
    return InputError(f"{path}: the query {known[0][1] or known[0][0]!r} has no candidate {candidate_id!r}", hint)


def _label(run: Run, row: int) -> dict[str, Any]:
    names: tuple[str, ...] = ("status", "grade", "probabilities", "expected_grade", "outside_mass", "reason")
    with run.database() as db:
        there = {name for name, *_ in db.execute("DESCRIBE labels").fetchall()}
        names += tuple(name for name in BLENDED if name in there)
        found = db.execute(f"SELECT {', '.join(names)} FROM labels WHERE row = ?", [row]).fetchall()
    return dict(zip(names, found[0] if found else (UNLABELLED, *[None] * (len(names) - 1)), strict=True))
