"""Probabilities that mean what they say: temperature and a bias for each grade, fitted on held-out ratings.

A judge's log-probabilities z over K grades become softmax(z / temperature + bias). The K numbers are fitted by maximum
likelihood; the ratings may be shares of several raters. Sources: temperature, Guo et al. 2017, "On Calibration of
Modern Neural Networks"; with biases, Alexandari et al. 2020, "Maximum Likelihood with Bias-Corrected Calibration is
Hard-To-Beat at Label Shift Adaptation". Whoever fits must hold out whole queries: pairs of one query are alike.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from judge.documents import Kind, load
from judge.errors import InputError
from judge.fingerprint import Fingerprint, digest
from judge.records import Record
from judge.statistics import measures, reliability

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST = (30, 5)
"""Ratings and queries below which nothing is fitted."""
PULL = 1e-3
"""Ridge towards "change nothing", a rating's worth in a thousand: separable ratings would drive the fit to infinity."""
FORMS = ("none", "temperature", "biases")
"""What is fitted: nothing, a temperature, or a temperature and a bias for each grade. Biases follow the mix of grades,
which few queries tell badly."""
SLOPES = (0.02, 50.0)
"""The range of the inverse temperature."""
NEARLY_ALL = 0.95
"""The share of pairs of one grade from which a judge is doubted."""


CALIBRATION = Kind("make one with `judge calibrate RUN RATINGS --out FILE`")


class Trust(Record):
    """How far probabilities can be trusted, on some rated pairs. Lower is better in all but accuracy."""

    n: int
    queries: int
    accuracy: float
    """Share of pairs whose likeliest grade is the people's commonest (the lower one on a tie)."""
    log_loss: float
    """Mean over pairs of the cross-entropy with the people's shares, in nats."""
    brier: float
    """Mean squared distance to the people's shares, summed over grades; in [0, 2]."""
    calibration_error: float
    """Expected calibration error of the likeliest grade's probability, in bins of equal width; in [0, 1]."""


class HeldOut(Record):
    """What choosing a threshold needs of held-out pairs. Figures alone, no texts and no ids."""

    confidence: tuple[float, ...]
    """The likeliest grade's calibrated probability."""
    wrong: tuple[bool, ...]
    """Whether that grade is not the people's commonest."""
    query: tuple[int, ...]
    """Which query each pair belongs to, counted from 0."""


DECIDING: tuple[str, ...] = ("weights", "adapter", "declared_adapter", "served")
DECIDING += ("guideline_digest", "template_digest", "fields", "budgets")
"""Parts of a fingerprint; for a judge whose weights only its operator knows, its name stands for them."""


class Calibration(Record):
    """A fitted calibration, what it did on the ratings that it was not fitted on, and what thresholds need."""

    temperature: Annotated[float, Field(gt=0)]
    bias: tuple[float, ...]
    """One for each grade, in ascending grade order; they sum to 0."""
    before: Trust
    after: Trust
    """By cross-fitting: each pair under a calibration fitted on other queries."""
    held_out: HeldOut
    ratings: str
    """SHA-256 (hex) of the ratings' file, or of the training data they were held out of."""
    judge: str | None = None
    """The first 16 digits of the fingerprint of the run whose labels were calibrated, where there was one."""
    parts: Mapping[str, str | None] = {}
    """What of that fingerprint decides the probabilities; empty for a fine-tuned judge's own calibration."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the numbers that change probabilities."""
        return digest({"temperature": self.temperature, "bias": list(self.bias)})

    def differences(self, parts: Mapping[str, str | None]) -> list[str]:
        """One line for each part in which the judge of a fingerprint differs from the one that this was fitted for."""
        own, other = ({name: held.get(name) for name in DECIDING} for held in (self.parts, parts))
        return Fingerprint(parts=own).differences(Fingerprint(parts=other)) if self.parts else []

    def apply(self, logprobs: npt.ArrayLike) -> Floats:
        """Calibrated probabilities, shape (..., K), of log-probabilities of that shape."""
        return reliability.softmax(np.asarray(logprobs, dtype=np.float64) / self.temperature + np.array(self.bias))


def calibrate(
    logprobs: npt.ArrayLike, shares: npt.ArrayLike, queries: Sequence[str], ratings: str, folds: int = 5
) -> Calibration:
    """Fit a calibration, and tell what it does by cross-fitting over queries, which also chooses its form.

    Args:
        logprobs: Shape (N, K), of the labels; they need not be normalised.
        shares: Shape (N, K): how people's ratings of each pair are spread over the grades; rows sum to 1.
        queries: Length N; a query is on one side of every split.
        ratings: What the ratings were; see `Calibration.ratings`.
        folds: Into how many parts queries are dealt.

    Raises:
        InputError: There are too few ratings or queries to fit anything.
    """
    scores, truth = np.asarray(logprobs, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    names, query = np.unique(np.asarray(queries), return_inverse=True)
    if len(scores) < LEAST[0] or len(names) < LEAST[1]:
        raise InputError(
            f"{len(scores)} rated pairs of {len(names)} queries are too few to calibrate",
            f"rate at least {LEAST[0]} pairs of {LEAST[1]} queries",
        )
    # Queries are dealt by size, so that folds are of like size whatever the order of the file.
    dealt = np.empty(len(names), dtype=np.int64)
    dealt[np.argsort(-np.bincount(query), kind="stable")] = np.arange(len(names)) % min(folds, len(names))
    tried = [_crossed(scores, truth, dealt[query], form) for form in FORMS]
    form = choose_form([reliability.cross_entropy(chances, truth) for chances in tried], query)
    crossed = tried[form]
    right = crossed.argmax(axis=1) == truth.argmax(axis=1)
    temperature, bias = fit(scores, truth, FORMS[form])
    return Calibration(
        temperature=temperature,
        bias=tuple(bias.tolist()),
        before=trust(reliability.softmax(scores), truth, query),
        after=trust(crossed, truth, query),
        # Cross-fitted as well: a threshold must see confidences as new pairs will have them.
        held_out=HeldOut(
            confidence=tuple(np.round(crossed.max(axis=1), 6).tolist()),
            # A tie gets no grade. Taken for wrong, it makes no promise easier.
            wrong=tuple(((reliability.likeliest(crossed).sum(axis=1) > 1) | ~right).tolist()),
            query=tuple(query.tolist()),
        ),
        ratings=ratings,
    )


def choose_form(losses: Sequence[Floats], query: Ints) -> int:
    """Which form to take, by the losses of shape (N,) of each on queries that it was not fitted on, the simplest first.

    A form with more to fit has to be better than the one before it by more than a standard error over queries (the rule
    of one standard error: Breiman et al., "Classification and Regression Trees", 1984, 3.4.3): what looks better by
    less may as well make new queries worse.
    """
    chosen = 0
    for form in range(1, len(losses)):
        gain = losses[chosen] - losses[form]
        sums = np.bincount(query, gain - gain.mean())
        error = np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)) / len(gain)
        if gain.mean() > error:
            chosen = form
    return chosen


def _crossed(scores: Floats, shares: Floats, fold: Ints, form: str) -> Floats:
    """Probabilities of shape (N, K), each row's under a calibration fitted on the other folds."""
    found = np.empty_like(scores)
    for number in range(int(fold.max()) + 1):
        inside = fold == number
        temperature, bias = fit(scores[~inside], shares[~inside], form)
        found[inside] = reliability.softmax(scores[inside] / temperature + bias)
    return found


def fit(scores: Floats, shares: Floats, form: str = "biases") -> tuple[float, Floats]:
    """Temperature, and biases of shape (K,), of the highest likelihood for scores and shares of shape (N, K).

    `form` is one of `FORMS`: what it does not name stays 1 or 0.
    """
    from scipy.optimize import minimize  # type: ignore[import-untyped, unused-ignore]

    centred = scores - scores.max(axis=1, keepdims=True)

    def loss(point: Floats) -> tuple[float, Floats]:
        # In the inverse temperature and the biases the likelihood is concave: there is one maximum.
        chances = reliability.softmax(centred * point[0] + point[1:])
        gap = (chances - shares) / len(shares)
        pull = PULL * np.array([point[0] - 1, *point[1:]])
        value = float(reliability.cross_entropy(chances, shares).mean()) + float(pull @ pull) / PULL / 2
        return value, np.array([(gap * centred).sum(), *gap.sum(axis=0)]) + pull

    start = np.zeros(1 + scores.shape[1])
    start[0] = 1.0
    slope = (1.0, 1.0) if form == "none" else SLOPES
    shift = (-20.0, 20.0) if form == "biases" else (0.0, 0.0)
    bounds = [slope] + [shift] * scores.shape[1]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return float(1 / found[0]), np.asarray(found[1:] - found[1:].mean())


def trust(chances: Floats, shares: Floats, query: npt.ArrayLike) -> Trust:
    """How far probabilities (N, K) can be trusted, compared with people's shares (N, K)."""
    confidence, right = reliability.top_label(chances, shares)
    return Trust(
        n=len(chances),
        queries=len(np.unique(np.asarray(query))),
        accuracy=float(right.mean()),
        log_loss=reliability.log_loss(chances, shares),
        brier=reliability.brier_score(chances, shares),
        calibration_error=reliability.expected_calibration_error(confidence, right),
    )


def majority_baseline(shares: Floats) -> float:
    """The accuracy, as `Trust` has it, of one grade for all: people's commonest. Shares of shape (N, K)."""
    return float(measures.majority_baseline(np.diag(np.bincount(shares.argmax(axis=1)))))


def doubts(found: Calibration, logprobs: Floats) -> list[str]:
    """What makes a calibration nothing to rely on, in words; log-probabilities of shape (N, K) as it was fitted on."""
    said = []
    likeliest = np.bincount(found.apply(logprobs).argmax(axis=1))
    if (share := likeliest.max() / len(logprobs)) >= NEARLY_ALL:
        said.append(
            f"calibrated, the judge gives one grade to {share:.1%} of the pairs: it tells little more than the mix of "
            "grades does"
        )
    if not 1.01 / SLOPES[1] < found.temperature < 0.99 / SLOPES[0]:
        said.append("the temperature is at the end of its range: its probabilities hardly relate to the ratings")
    return said


def read_calibration(path: Path) -> Calibration:
    """A file that `judge calibrate` wrote.

    Raises:
        InputError: It cannot be read, is none, or does not say whose probabilities it is for.
    """
    found = load(path, Calibration, CALIBRATION)
    if not found.parts:
        raise CALIBRATION.damaged(path, "it does not say which judge it was fitted for")
    return found
