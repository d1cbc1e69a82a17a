"""Stage 1: supervised contrastive learning with grades.

Every loss here is a function of scores and grades, shape (queries, documents): a row holds one query's score with every
document of the batch. `UNJUDGED` is a pair that nobody graded, `IGNORED` one that must teach nothing.
"""

from typing import Any

UNJUDGED, IGNORED = -1, -2
"""What stands in a matrix of grades where there is none: grades are 0 and above."""


def graded_supcon(scores: Any, grades: Any, lowest: int = 0, temperature: float = 0.05) -> Any:
    """Pull each grade of a query's documents above all that is below it; a tensor of no dimension.

    For each grade above the lowest: minus the mean over its documents of log[e^(s/t) / sum of e^(s/t)], the sum over
    the documents of this grade, of lower ones, and unjudged ones. Higher grades leave the sum: a 1 is positive against
    a 0 and negative against a 2. The best grade that a query has among its documents weighs 1, the next one half, and
    so on; the loss of a query is the weighted mean, that of a batch the mean over its queries. A grade with nothing
    below it says nothing: a query of one grade alone has neither loss nor gradient.

    Source: Khosla et al. 2020, Supervised Contrastive Learning (arXiv:2004.11362), the sum over positives outside the
    logarithm; grades as levels of their own are an extension.

    Args:
        scores: Cosines, or means of MaxSim, a float tensor of shape (Q, D).
        grades: Grades, `UNJUDGED` or `IGNORED`, an integer tensor of shape (Q, D).
        lowest: The grade that is never pulled up.
        temperature: What scores are divided by.
    """
    import torch

    logits = scores / temperature
    total, weights = scores.new_zeros(len(scores)), scores.new_zeros(len(scores))
    weight = scores.new_ones(len(scores))
    for level in sorted({grade for grade in grades.unique().tolist() if grade > lowest}, reverse=True):
        positive, below = grades == level, (grades < level) & (grades != IGNORED)
        said = positive.any(dim=1) & below.any(dim=1)
        # Rows without a sum would have one of nothing, whose gradient is not a number.
        row, inside = logits[said], positive[said]
        apart = torch.logsumexp(row.masked_fill(~(positive | below)[said], -torch.inf), dim=1, keepdim=True) - row
        part = torch.where(inside, apart, apart.new_zeros(())).sum(dim=1) / inside.sum(dim=1)
        total = total.index_put((said,), part * weight[said], accumulate=True)
        weights = weights + torch.where(said, weight, weight.new_zeros(()))
        weight = torch.where(said, weight / 2, weight)
    useful = weights > 0
    return (total[useful] / weights[useful]).mean() if useful.any() else nothing(scores)


def nothing(scores: Any) -> Any:
    """A loss of 0 whose gradient is 0."""
    return (scores * 0).sum()
