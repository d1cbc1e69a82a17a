"""A run's probabilities and people's ratings of the same pairs: what a calibration is fitted on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from finetune.targets import targets
from judge.calibration.calibrate import DECIDING, IN_WORDS, Calibration, calibrate
from judge.calibration.crossing import Present
from judge.calibration.cuts import Objective
from judge.calibration.doubts import doubts
from judge.calibration.features import Reading, blend_encoder, check_features, cosines, measure
from judge.calibration.ordinal import Evidence, Ordinal
from judge.errors import InputError
from judge.fingerprint import file_digest
from judge.labelling.recalibrate import check_own_probabilities, own_column, own_probabilities
from judge.notes import note
from judge.ratings.layout import RatingsLayout
from judge.ratings.rated import Rated, rated_pairs
from judge.ratings.reader import read_ratings
from judge.ratings.remembered import settle_layout
from judge.records import Pair
from judge.run.lookup import find_pairs, key_table
from judge.run.seen import learned_known, read_seen
from judge.run.store import Run
from judge.words.similar import query_groups

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Joined:
    """Pairs that people rated and the run scored."""

    logprobs: Floats
    """Shape (N, K)."""
    shares: Floats
    """People's ratings, spread over the grades; shape (N, K)."""
    queries: Sequence[str]
    """A key of each pair's query: one query is one, whatever ids and spellings it goes by."""
    missing: int
    """Rated pairs that the run did not score."""
    learned: int
    """Those that it scored, and that are left out since the judge learned from their queries."""
    pairs: Sequence[Pair]
    """With the run's texts."""
    present: Present | None = None
    """The blend that the run's labels went through, where there is one."""


def join(run: Run, rated: Sequence[Rated]) -> Joined:
    """Find the run's probabilities for rated pairs, as `judge.run.lookup` finds pairs.

    Raises:
        RunError: The judge's own probabilities cannot be had.
        InputError: No rated pair is in the run with probabilities, or the judge learned from all of their queries.
    """
    manifest = run.manifest
    check_own_probabilities(run, manifest)
    keys = [(item.pair.query_id, item.pair.query, item.pair.candidate_id) for item in rated]
    with run.database(keys=key_table(keys)) as db:
        find_pairs(db)
        beside = db.execute(
            f"""SELECT l.{own_column(manifest)}, l.probabilities, p.query, p.candidate
               FROM found f LEFT JOIN labels l ON l.row = f.row LEFT JOIN pairs p ON p.row = f.row ORDER BY f.place"""
        ).fetchall()
    there = [(item, *more) for item, more in zip(rated, beside, strict=True) if all(more[:2])]
    if not there:
        raise InputError(
            f"{run.path}: has probabilities for none of the {len(rated):,} rated pairs",
            "label the rated pairs first, with the judge to calibrate",
        )
    scored, there = len(there), _unlearned(run, there)
    chances = own_probabilities(manifest, np.array([each for _, each, *_ in there], dtype=np.float64))
    blend = (manifest.calibration or {}).get("blend")
    given = np.array([each for _, _, each, *_ in there], dtype=np.float64)
    items = [item for item, *_ in there]
    return Joined(
        logprobs=np.log(np.maximum(chances, 1e-12)),
        shares=targets([item.votes for item in items], manifest.values, "distribution", [item.means for item in items]),
        queries=query_groups([query for *_, query, _ in there]),  # ratings may name theirs by id alone
        missing=len(rated) - scored,
        learned=scored - len(there),
        pairs=[_with_texts(item.pair, query, candidate) for item, *_, query, candidate in there],
        present=Present(Ordinal.model_validate(blend), given, manifest.values) if blend else None,
    )


@dataclass(frozen=True)
class CalibratedRun:
    """A calibration of a run, and what it was fitted on."""

    found: Calibration
    joined: Joined
    left_out: Mapping[str, int]
    """What is wrong with ratings that were skipped, by kind."""
    evidence: Evidence | None

    @property
    def doubts(self) -> list[str]:
        """What makes it nothing to rely on, in words."""
        return doubts(self.found, self.joined.logprobs, self.evidence, self.joined.present)


def calibrate_run(
    run: Run, path: Path, name: str, layout: RatingsLayout, asked: tuple[Sequence[str], Objective] = ((), "log_loss")
) -> CalibratedRun:
    """Fit a calibration to ratings of a run's pairs.

    Args:
        run: A run with probabilities.
        path: The file of ratings.
        name: What messages call it.
        layout: How it is read.
        asked: Features of cut points or a blend, and the objective; cut points are tried where either says so.

    Raises:
        InputError, ModelError, RunError: See `join` and `gather`; or the ratings are wrong or too few.
    """
    features, objective = asked
    policy = run.manifest.policy
    read = read_ratings(path, settle_layout(layout, path, [run], policy), policy.values, name)
    joined = join(run, rated_pairs(read))
    evidence = None
    if features or objective != "log_loss":
        evidence = gather(joined.pairs, np.exp(joined.logprobs), run.manifest.values, (features, objective))
    try:
        found = calibrate(joined.logprobs, joined.shares, joined.queries, file_digest(path), evidence, joined.present)
    except InputError as error:
        aside = {"are of queries that the judge learned from": joined.learned, "are not in the run": joined.missing}
        more = "".join(f"; {n:,} more {what}" for what, n in aside.items() if n)
        raise InputError(error.message + more, error.hint) from None
    made = run.manifest.parts
    deciding = (*(["judge"] if made.get("weights") is None else []), *DECIDING, *IN_WORDS)
    whose = {"judge": run.manifest.fingerprint, "parts": {name: made.get(name) for name in deciding}}
    return CalibratedRun(found.model_copy(update=whose), joined, read.left_out, evidence)


def _unlearned(run: Run, there: list[Any]) -> list[Any]:
    """Of rated pairs, each with what the run has of it, those whose queries the judge did not learn from."""
    seen = read_seen(run.path)
    if not learned_known(run):
        note(
            f"{run.path}: does not say which queries its judge learned from; on those, a calibration promises too much"
        )
    if seen is None:
        return there
    known = seen.learned_from([query for *_, query, _ in there])
    left = [item for item, learned in zip(there, known, strict=True) if not learned]
    if not left:
        raise InputError(
            f"the judge learned from the queries of all {len(there):,} rated pairs: they cannot calibrate it",
            "rate pairs of other queries, or have `judge finetune` hold some out (`calibration` in its --config)",
        )
    return left


def gather(
    pairs: Sequence[Pair], chances: Floats, grades: Sequence[int], asked: tuple[Sequence[str], Objective]
) -> Evidence:
    """What cut points, and a blend where features are named, are fitted on.

    Args:
        pairs: N pairs with their texts.
        chances: The judge's own probabilities of them, shape (N, K).
        grades: The guideline's values, ascending.
        asked: Features, and the objective.

    Raises:
        InputError: A feature is unknown.
        ModelError: The encoder that one needs is not installed.
    """
    names, objective = check_features(asked[0]), asked[1]
    encoder = blend_encoder(names)
    cosine = partial(cosines, encoder=encoder) if encoder else None
    reading = Reading(names) if encoder else Reading(names, None)
    values = measure(reading, pairs, chances, grades, cosine)
    return Evidence(reading, values, grades, objective, encoder.digest if encoder else None)


def _with_texts(pair: Pair, query: str, candidate: Mapping[str, str | None] | None) -> Pair:
    texts = {name: text for name, text in (candidate or {}).items() if text is not None}
    return replace(pair, query=query, candidate=texts)
