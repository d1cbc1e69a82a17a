"""Whether a judge is better than the one that its training went on from: on the queries held out for its calibration,
which neither chose its weights nor, by cross-fitting, had a part in what its own answers go through."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from judge.calibration.cuts import Objective
from judge.calibration.held_out import Trust, trust
from judge.records import Record, counted
from judge.statistics.intervals import Estimate, by_query, confusion_by_query
from judge.statistics.measures import weighted_kappa
from judge.statistics.reliability import cross_entropy, top_label
from judge.statistics.shares import mean_by_query

Floats = npt.NDArray[np.float64]
KAPPA = "quadratic_kappa"


class Compared(Record):
    """A fine-tuned judge and the one before it on the same held-out pairs, each as it judges unless told otherwise."""

    start: str
    """The judge before, as the user named it."""
    objective: Objective
    own: Trust
    """Of the fine-tuned judge: its answers through what was fitted to the other held-out queries."""
    before: Trust
    """Of the judge before: its answers to the same prompts, through its own blend or calibration."""
    differences: Mapping[str, Estimate]
    """The fine-tuned judge's figure less the other's, queries resampled: of the objective, and of quadratic kappa."""

    @property
    def doubt(self) -> str | None:
        """That the fine-tuned judge is worse, or not better by more than chance, in words; null where it is better, or
        where both give the same answers."""
        if self.own == self.before:
            return None
        better = {name: self._better(name) for name in self.differences}
        if better[self.objective] is True and better[KAPPA] is not False:
            return None
        less = [name for name, found in better.items() if found is False]
        how = f"worse than {self.start}" if less else f"not better than {self.start} by more than chance"
        said = "; ".join(self._words(name) for name in less or [self.objective])
        return f"on {self.pairs} it is {how}: {said}"

    @property
    def said(self) -> dict[str, str]:
        """The differences with their intervals, as tables show them."""
        return {name: _difference(found) for name, found in self.differences.items()}

    @property
    def pairs(self) -> str:
        """How many both judged, in words."""
        return f"{counted(self.own.n, 'held-out pair')} of {counted(self.own.queries, 'query')}"

    def _better(self, name: str) -> bool | None:
        """Whether it is better, by more than chance; null where that cannot be told."""
        found = self.differences[name].interval
        if found is None or found[0] <= 0 <= found[1]:
            return None
        return (found[0] > 0) != (name == "log_loss")

    def _words(self, name: str) -> str:
        own, before = (getattr(each, name) for each in (self.own, self.before))
        return f"{name.replace('_', ' ')} {own:.3f}, that one's {before:.3f} (difference {self.said[name]})"


def _difference(found: Estimate) -> str:
    if found.value is None:
        return f"none: {found.reason}"
    return f"{found.value:+.3f}" + (
        ", 95% interval {:+.3f} to {:+.3f}".format(*found.interval) if found.interval else ""
    )


def compare(
    start: str,
    objective: Objective,
    chances: tuple[Floats, Floats],
    shares: Floats,
    queries: Sequence[str],
    grades: Sequence[int],
) -> Compared:
    """Compare two judges' probabilities.

    Args:
        start: The judge before.
        objective: What was to get better.
        chances: The fine-tuned judge's, and the other's, of shape (N, K) each.
        shares: How people's ratings of each pair are spread over the grades, shape (N, K).
        queries: Length N; whole queries are resampled.
        grades: The guideline's K values.
    """
    query = np.unique(np.asarray(queries), return_inverse=True)[1]
    truth, places = shares.argmax(axis=1), np.arange(len(grades))
    # Side by side, so that both are of the same draws of queries.
    tables = np.concatenate([confusion_by_query(query, truth, each.argmax(axis=1), places) for each in chances], axis=2)

    def kappas(drawn: Floats) -> npt.ArrayLike:
        own, before = (weighted_kappa(side, values=grades) for side in np.split(drawn, 2, axis=-1))
        return own - before

    found = {KAPPA: by_query(tables, kappas, best=False)}
    if objective == "log_loss":
        losses = [cross_entropy(each, shares) for each in chances]
        found = {objective: mean_by_query(query, losses[0] - losses[1])} | found
    if objective == "accuracy":
        right = [top_label(each, shares)[1].astype(np.float64) for each in chances]
        found = {objective: mean_by_query(query, right[0] - right[1])} | found
    own, before = (trust(each, shares, query, grades) for each in chances)
    return Compared(start=start, objective=objective, own=own, before=before, differences=found)
