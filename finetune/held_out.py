"""A run's probabilities and people's ratings of the same pairs: what a calibration is fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finetune.targets import targets
from judge.errors import InputError, RunError
from judge.ratings.rated import Rated
from judge.run.lookup import find_pairs, key_table
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


def join(run: Run, rated: Sequence[Rated]) -> Joined:
    """Find the run's probabilities for rated pairs, as `judge.run.lookup` finds pairs.

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
    if run.query("SELECT count(probabilities) = 0 AND count(grade) > 0 FROM labels")[0][0]:
        raise InputError(
            f"{run.path}: its grades came without probabilities, so there is nothing to calibrate",
            "use a judge that gives them: an endpoint with log-probabilities, or --samples",
        )
    keys = [(item.pair.query_id, item.pair.query, item.pair.candidate_id) for item in rated]
    with run.database(keys=key_table(keys)) as db:
        find_pairs(db)
        found = [
            chances
            for (chances,) in db.execute(
                "SELECT l.probabilities FROM found f LEFT JOIN labels l ON l.row = f.row ORDER BY f.place"
            ).fetchall()
        ]
    there = [item for item, chances in zip(rated, found, strict=True) if chances]
    if not there:
        raise InputError(
            f"{run.path}: has probabilities for none of the {len(rated):,} rated pairs",
            "label the rated pairs first, with the judge to calibrate",
        )
    chances = np.array([each for each in found if each], dtype=np.float64)
    return Joined(
        logprobs=np.log(np.maximum(chances, 1e-12)),
        shares=targets([item.votes for item in there], manifest.values, "distribution", [item.means for item in there]),
        queries=query_groups([item.pair.query for item in there]),
        missing=len(rated) - len(there),
    )
