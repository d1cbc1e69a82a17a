"""Stage 2: circle loss for any number of grades, on the score scale that stage 1 left behind."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from retriever.supcon import nothing


def multiclass_circle(
    scores: Any, grades: Any, targets: Mapping[int, float], margin: float = 0.1, gamma: float = 8.0
) -> Any:
    """Move each grade's scores to its place, those furthest from it most; a tensor of no dimension.

    For each pair of grades a > b of a query's judged documents, of targets A and B:
    softplus(LSE_b g [s - (B - m)]+ (s - B - m) + LSE_a -g [A + m - s]+ (s - A + m)), the brackets held fixed for the
    gradient. The mean over pairs of grades is a query's loss, that over queries the batch's. Unjudged documents are
    left out. A query of one grade alone has neither loss nor gradient.

    Source: Sun et al. 2020, Circle Loss (arXiv:2002.10857), equation 6, whose optima 0 and 1 are two grades with these
    targets; more grades are an extension.

    Args:
        scores: Cosines, or means of MaxSim, a float tensor of shape (Q, D).
        grades: Grades, or a negative number where there is none, an integer tensor of shape (Q, D).
        targets: A score for each grade, ascending with the grades.
        margin: How far a score may stay from its target.
        gamma: Scale: the larger, the more the worst document counts.
    """
    import torch

    total, pairs = scores.new_zeros(len(scores)), scores.new_zeros(len(scores))
    for b, a in combinations(sorted(targets), 2):
        low, high = grades == b, grades == a
        both = low.any(dim=1) & high.any(dim=1)
        row = scores[both]
        above = (row.detach() - (targets[b] - margin)).clamp(min=0) * (row - targets[b] - margin)
        under = (targets[a] + margin - row.detach()).clamp(min=0) * (row - targets[a] + margin)
        worst = torch.logsumexp((gamma * above).masked_fill(~low[both], -torch.inf), dim=1)
        worst = worst + torch.logsumexp((-gamma * under).masked_fill(~high[both], -torch.inf), dim=1)
        total = total.index_put((both,), torch.nn.functional.softplus(worst), accumulate=True)
        pairs = pairs + both
    useful = pairs > 0
    return (total[useful] / pairs[useful]).mean() if useful.any() else nothing(scores)


def spread_targets(means: Mapping[int, float], factor: float) -> dict[int, float]:
    """A target for each grade: the mean score of its pairs under stage 1, spread by a factor about their middle.

    Stage 1 may hold two grades the wrong way round. The places are its own, and the better grade gets the higher.
    """
    grades, places = sorted(means), sorted(means.values())
    middle = (places[0] + places[-1]) / 2
    return {grade: middle + factor * (place - middle) for grade, place in zip(grades, places, strict=True)}
