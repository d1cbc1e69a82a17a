"""The losses that ours are to be compared with, over the same matrix of scores and grades."""

from typing import Any

from retriever.supcon import IGNORED, nothing


def multiple_negatives(scores: Any, grades: Any, lowest: int = 0, scale: float = 20.0) -> Any:
    """Rank each of a query's best documents above all that is below it; a tensor of no dimension.

    A positive is a document of the query's best grade, if that is above the lowest one; its negatives are the judged
    documents of lower grades and the unjudged ones. The mean over positives of the cross-entropy of softmax(scale s).

    Source: Henderson et al. 2017 (arXiv:1705.00652), as sentence-transformers' MultipleNegativesRankingLoss, except
    that a labelled document is never a blind negative.

    Args:
        scores: Cosines, or means of MaxSim, a float tensor of shape (Q, D).
        grades: Grades, `UNJUDGED` or `IGNORED`, an integer tensor of shape (Q, D).
        lowest: The grade that is never a positive.
        scale: What scores are multiplied by.
    """
    import torch

    logits = scores * scale
    best = grades.max(dim=1, keepdim=True).values
    positive = (grades == best) & (best > lowest)
    below = (grades < best) & (grades != IGNORED)
    said = positive.any(dim=1) & below.any(dim=1)
    if not said.any():
        return nothing(scores)
    row = logits[said]
    rest = torch.logsumexp(row.masked_fill(~below[said], -torch.inf), dim=1, keepdim=True)
    return torch.nn.functional.softplus(rest - row)[positive[said]].mean()


def cosent(scores: Any, grades: Any, scale: float = 20.0) -> Any:
    """Rank every judged pair of the batch above those of lower grades; a tensor of no dimension.

    log(1 + sum over pairs of grades a > b of e^(scale (s_b - s_a))), over all judged pairs, of whichever query.
    Grades may be fractions, such as expected grades.

    Source: CoSENT (Huang et al. 2024, doi 10.1109/TASLP.2024.3402087), as sentence-transformers' CoSENTLoss.

    Args:
        scores: Cosines, or means of MaxSim, a float tensor of shape (Q, D).
        grades: Grades, or a negative number where there is none, a tensor of shape (Q, D).
        scale: What scores are multiplied by.
    """
    import torch

    judged = grades >= 0
    logits, values = scores[judged] * scale, grades[judged]
    wrong = (logits[None, :] - logits[:, None])[values[:, None] > values[None, :]]
    if not len(wrong):
        return nothing(scores)
    return torch.logsumexp(torch.cat([wrong.new_zeros(1), wrong]), dim=0)
