"""A run's probabilities beside people's ratings of the same pairs: what a calibration is fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finetune.targets import targets
from judge.errors import InputError, RunError
from judge.ratings.rated import Rated
from judge.records import query_key
from judge.run.store import Run
from judge.words.similar import canonical, query_groups

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


def join(run: Run, rated: Sequence[Rated]) -> Joined:
    """Find the run's probabilities for rated pairs: by `query_id` and `candidate_id`, else by the query's text.

    Where an id stands for other words in the run, the pair whose query is the same goes before it: two files can number
    their queries each for itself.

    Raises:
        RunError: The run's probabilities were calibrated already.
        InputError: No rated pair is in the run with probabilities.
    """
    manifest = run.manifest
    if manifest.parts.get("calibration"):
        raise RunError(
            f"{run.path}: its probabilities were calibrated already",
            "label the rated pairs with --calibration none, and calibrate with that run",
        )
    rows = run.query(
        """SELECT p.query_id, p.query, p.candidate_id, l.probabilities FROM labels l JOIN pairs p USING (row)
           WHERE l.probabilities IS NOT NULL ORDER BY l.row DESC"""
    )
    by_text = {(query_key(query), candidate): chances for _, query, candidate, chances in rows}
    by_id = {(query_id, candidate): chances for query_id, _, candidate, chances in rows}
    by_both = {(query_id, candidate, canonical(query)): chances for query_id, query, candidate, chances in rows}
    beside = [
        by_both.get((pair.query_id, pair.candidate_id, canonical(pair.query)))
        or by_text.get((query_key(pair.query), pair.candidate_id))
        or by_id.get((pair.query_id, pair.candidate_id))
        for pair in (item.pair for item in rated)
    ]
    if not rows and run.query("SELECT 1 FROM labels WHERE grade IS NOT NULL LIMIT 1"):
        raise InputError(
            f"{run.path}: its grades came without probabilities, so there is nothing to calibrate",
            "label with a judge that tells them: an endpoint with log-probabilities, or --samples",
        )
    there = [item for item, chances in zip(rated, beside, strict=True) if chances]
    if not there:
        raise InputError(
            f"{run.path}: has probabilities for none of the {len(rated):,} rated pairs",
            "label the rated pairs first, with the judge that is to be calibrated",
        )
    chances = np.array([each for each in beside if each], dtype=np.float64)
    return Joined(
        logprobs=np.log(np.maximum(chances, 1e-12)),
        shares=targets([item.votes for item in there], manifest.values, "distribution"),
        queries=query_groups([item.pair.query for item in there]),
        missing=len(rated) - len(there),
    )
