"""Cut points and blends: grades as steps on one score, fitted to a few of a shop's rated queries.

The score is a sum of standardised features (what the judge says, the encoder's cosine, word overlap) under
non-negative weights. Fitted for log loss, the probabilities are cumulative logits, P(grade ≤ k) = σ(cut_k − score):
McCullagh 1980, "Regression Models for Ordinal Data" (proportional odds). The likelihood is concave in weights and cuts
(Pratt 1981). A ridge pulls the weights to their mean, as strongly as `STRENGTH` queries would: few queries can tell how
much features say together, hardly which of them says more (Dawes 1979, "The Robust Beauty of Improper Linear Models").

Fitted for quadratic kappa or accuracy, the cuts are where the likeliest grade changes, which adjacent-category logits
make exact: P(k) / P(k − 1) = exp(slope (score − cut_k)). So a grade is the likeliest one, whatever the objective.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from judge.calibration.cuts import Objective, adjacent, best_cuts, fit_slope, quality
from judge.calibration.features import COSINE, FEATURES, JUDGE, OVERLAP, Reading
from judge.records import Record
from judge.statistics.reliability import cross_entropy

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STRENGTH = 3.0
"""How many queries' worth the ridge towards equal weights is."""
PULL = 0.1
"""The same of the ridge towards 0: ratings that the score separates would drive the weights to infinity."""
LARGEST = 30.0
"""The range of weights and of cuts."""
RULES = {"near": COSINE, "alike": OVERLAP, "odds": JUDGE, "attached": OVERLAP, "against": OVERLAP}
"""How features are read, in the order in which the rules came, and of which feature each one is."""
FLAT = 1e-9
"""A feature that spreads less says nothing, and is left out."""

Number = Annotated[float, Field(ge=-1e9, le=1e9)]
"""Of a file: larger ones than any fit gives end in infinities, and in probabilities that are none."""
Positive = Annotated[float, Field(ge=1e-9, le=1e9)]


class Feature(Record):
    """One feature of the score, standardised by constants: they are the calibration's, never those of a run."""

    name: str
    centre: Number
    """Its mean on the rated pairs."""
    spread: Positive
    """Its standard deviation there."""
    weight: Annotated[Number, Field(ge=0)]


class Ordinal(Record):
    """What makes probabilities of features."""

    objective: Objective
    features: Annotated[tuple[Feature, ...], Field(min_length=1)]
    cuts: Annotated[tuple[Number, ...], Field(min_length=1)]
    """Ascending, on the score; one fewer than grades."""
    slope: Positive | None = None
    """How fast probabilities change around cuts that are fitted for quadratic kappa or accuracy; else null."""
    encoder: str | None = None
    """The digest of the encoder whose cosine is a feature."""
    near: Number | None = None
    """From which cosine on a copy of the query at a title's end counts; null in what was fitted where none did."""
    alike: Number | None = None
    """From which similarity on a word counts in part for a missing one; null in what was fitted where none did."""
    odds: bool = False
    """Whether the judge says log-odds; its expected grade in what was fitted where it did."""
    attached: Annotated[Number, Field(ge=0, le=1)] | None = None
    """What a word counts that a title has as what an accessory goes with; null in what was fitted before."""
    against: Annotated[Number, Field(ge=0, le=1)] | None = None
    """What a word counts where the title names what the query rules out; null in what was fitted before."""

    @model_validator(mode="after")
    def _is_one(self) -> "Ordinal":
        if unknown := [name for name in self.names if name not in FEATURES]:
            raise ValueError(f"no feature {unknown[0]!r}: there are {', '.join(FEATURES)}")
        if len(set(self.names)) < len(self.names):
            raise ValueError("a feature occurs twice")
        if (self.encoder is None) == (COSINE in self.names):
            raise ValueError(f"an encoder belongs to the feature {COSINE!r}, and to no other")
        for rule, of in RULES.items():
            if rule not in self._unsaid and of not in self.names:
                raise ValueError(f"{rule!r} says how the feature {of!r} is read, which is none of these")
        if list(self.cuts) != sorted(self.cuts):
            raise ValueError("cuts have to ascend")
        if (self.slope is None) != (self.objective == "log_loss"):
            raise ValueError("a slope belongs to cuts for quadratic kappa or accuracy, and to no others")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def reading(self) -> Reading:
        """How a pair is read for it."""
        return Reading(self.names, self.near, self.alike, self.odds, self.attached, self.against)

    @property
    def numbers(self) -> dict[str, Any]:
        """All of it as JSON values; of what was fitted before a rule of reading, they are what they were."""
        return self.model_dump(mode="json", exclude=self._unsaid)

    @property
    def _unsaid(self) -> set[str]:
        """The rules by which nothing is read; one of 0 is none of them."""
        return {rule for rule in RULES if getattr(self, rule) is None or getattr(self, rule) is False}

    def score(self, values: npt.ArrayLike) -> Floats:
        """Scores, shape (N,), of features of shape (N, F) in the order of `names`; NaN counts as the mean."""
        centre, spread, weight = (
            np.array([getattr(feature, name) for feature in self.features]) for name in ("centre", "spread", "weight")
        )
        standard = (np.asarray(values, dtype=np.float64).reshape(-1, len(self.features)) - centre) / spread
        return np.asarray(np.nan_to_num(standard, nan=0.0) @ weight)

    def apply(self, values: npt.ArrayLike) -> Floats:
        """Probabilities, shape (N, K), of features of shape (N, F)."""
        score = self.score(values)
        if self.slope is None:
            return cumulative(score, np.array(self.cuts))
        return adjacent(score, np.array(self.cuts), self.slope)


@dataclass(frozen=True)
class Evidence:
    """What a blend may be fitted on."""

    reading: Reading
    """Which features of the pairs were read, and how."""
    values: Floats
    """Shape (N, F)."""
    grades: Sequence[int]
    """The guideline's values, ascending."""
    objective: Objective = "log_loss"
    encoder: str | None = None

    @property
    def names(self) -> Sequence[str]:
        """The features' names, in the order of the values."""
        return self.reading.names

    def columns(self, names: Sequence[str]) -> Floats:
        """Some of the features, shape (N, names)."""
        return self.values[:, [self.names.index(name) for name in names]]


def cumulative(score: Floats, cuts: Floats) -> Floats:
    """Probabilities of cumulative logits, shapes (N,), (K − 1,) to (N, K)."""
    below = _logistic(cuts - score[:, None])
    edges = np.hstack([np.zeros((len(score), 1)), below, np.ones((len(score), 1))])
    return np.asarray(np.maximum(np.diff(edges, axis=1), 0))


def fit_ordinal(
    evidence: Evidence,
    names: Sequence[str],
    shares: Floats,
    query: Ints,
    rows: Ints,
    *,
    strength: float = STRENGTH,
) -> Ordinal:
    """Fit cuts and weights on some rows.

    Args:
        evidence: Features of N pairs.
        names: Which of them to use.
        shares: People's ratings, shape (N, K).
        query: Each pair's query, shape (N,).
        rows: Which of the N pairs to fit on.
        strength: How many queries' worth the ridge towards equal weights is.
    """
    values, shares = evidence.columns(names)[rows], shares[rows]
    known = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    centre = np.nansum(values, axis=0) / known
    spread = np.sqrt(np.nansum((values - centre) ** 2, axis=0) / known)
    telling = np.flatnonzero(spread > FLAT)
    if not telling.size:  # one of them stays, for a record to hold; the ridge takes its weight
        telling, spread = np.array([0]), np.ones_like(spread)
    standard = np.nan_to_num((values - centre)[:, telling] / spread[telling], nan=0.0)
    queries = len(np.unique(query[rows]))
    weights, cuts = proportional_odds(standard, shares, strength / queries, PULL / queries)
    slope = None
    if evidence.objective != "log_loss":
        score, truth = standard @ weights, shares.argmax(axis=1)
        cuts = best_cuts(score, truth, cuts, quality(evidence.objective, evidence.grades, truth))
        slope = fit_slope(score, shares, cuts)
    used = [names[int(at)] for at in telling]
    columns = zip(used, centre[telling].tolist(), spread[telling].tolist(), weights.tolist(), strict=True)
    return Ordinal(
        objective=evidence.objective,
        features=tuple(Feature(name=n, centre=c, spread=s, weight=w) for n, c, s, w in columns),
        cuts=tuple(cuts.tolist()),
        slope=slope,
        encoder=evidence.encoder if COSINE in used else None,
        **{rule: getattr(evidence.reading, rule) for rule, of in RULES.items() if of in used},
    )


def proportional_odds(standard: Floats, shares: Floats, equal: float, pull: float) -> tuple[Floats, Floats]:
    """Weights (F,), 0 or more, and ascending cuts (K − 1,) of the highest penalised likelihood.

    What is minimised is the mean over pairs of the cross-entropy, plus equal / 2 × Σ (weight − mean weight)²
    plus pull / 2 × (Σ weight² + Σ (cut − base)²), where the base is the cuts that the mix of grades alone gives.

    Args:
        standard: Features, shape (N, F).
        shares: People's ratings, shape (N, K).
        equal: The ridge towards equal weights.
        pull: The ridge towards weights of 0.
    """
    from scipy.optimize import minimize  # type: ignore[import-untyped, unused-ignore]

    n, count = standard.shape
    mix = (shares.mean(axis=0) + 0.5 / n) / (1 + 0.5 * shares.shape[1] / n)
    below = np.cumsum(mix)[:-1]
    base = np.log(below / (1 - below))

    def loss(point: Floats) -> tuple[float, Floats]:
        # The first cut and the steps from each to the next: they ascend as long as no step is negative.
        weights, cuts = point[:count], np.cumsum(point[count:])
        under = _logistic(cuts - (standard @ weights)[:, None])
        edges = np.hstack([np.zeros((n, 1)), under, np.ones((n, 1))])
        chances = np.maximum(np.diff(edges, axis=1), 1e-12)
        ratio = shares / chances / n
        at_cuts = (ratio[:, 1:] - ratio[:, :-1]) * under * (1 - under)
        off, moved = weights - weights.mean() if count else weights, cuts - base
        value = cross_entropy(chances, shares).mean() + (off @ off) * equal / 2
        value += (weights @ weights + moved @ moved) * pull / 2
        slopes = -standard.T @ at_cuts.sum(axis=1) + equal * off + pull * weights
        each = at_cuts.sum(axis=0) + pull * moved
        return float(value), np.concatenate([slopes, np.cumsum(each[::-1])[::-1]])

    start = np.concatenate([np.full(count, 0.5), base[:1], np.diff(base)])
    bounds = [(0.0, LARGEST)] * count + [(-LARGEST, LARGEST)] + [(1e-6, LARGEST)] * (len(base) - 1)
    options = {"ftol": 1e-12, "gtol": 1e-8}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return np.asarray(found[:count]), np.cumsum(found[count:])


def _logistic(at: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(at / 2)))
