"""How far a judge's confidence is from how often it is right."""

import numpy as np

from judge.statistics import reliability
from judge.statistics.agreement import GradedPairs, Measure
from judge.statistics.intervals import NO_PAIRS, Estimate

NO_PROBABILITIES = "the labels carry no probabilities"


def _error(pairs: GradedPairs) -> Estimate:
    shares = pairs.probabilities
    told = None if shares is None else ~np.isnan(shares).any(axis=1)
    if shares is None or told is None or not told.any():
        return Estimate(None, None, None, NO_PROBABILITIES if len(pairs.query) else NO_PAIRS)
    truth = np.searchsorted(pairs.values, pairs.reference[told])
    sure, right = reliability.top_label(shares[told], truth)
    error, chance = reliability.expected_calibration_error(sure, right), reliability.calibration_error_by_chance(sure)
    # It is a mean of distances: chance adds to it, and resampling adds the same again.
    reason = f"no interval covers it; by chance a calibrated judge would show {chance:.3f}"
    if not told.all():
        reason += f"; {(~told).sum():,} grades came without probabilities"
    return Estimate(error, None, None, reason)


CALIBRATION_ERROR = Measure(
    name="calibration_error",
    label="calibration error",
    source='Guo et al. 2017, "On Calibration of Modern Neural Networks"',
    range="0 to 1, 0 is best",
    undefined=NO_PROBABILITIES,
    order=140,
    places=frozenset({"table"}),
    pairs=_error,
)
