"""The losses: values by hand, loops as a second implementation, gradients, and what must not matter."""

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retriever.baselines import cosent, multiple_negatives
from retriever.circle import multiclass_circle, spread_targets
from retriever.supcon import IGNORED, UNJUDGED, graded_supcon

TARGETS = {0: 0.1, 1: 0.4, 2: 0.7}
LOSSES = {
    "supcon": graded_supcon,
    "circle": lambda s, g: multiclass_circle(s, g, TARGETS),
    "mnrl": multiple_negatives,
    "cosent": cosent,
}
few = settings(max_examples=20)
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def tensors(scores, grades, dtype=torch.float64):
    return torch.tensor(scores, dtype=dtype), torch.tensor(grades)


def supcon_loop(scores, grades, temperature=0.05):
    losses = []
    for row, graded in zip(scores, grades, strict=True):
        total = weights = 0.0
        weight = 1.0
        for level in (2, 1):
            inside = [s for s, g in zip(row, graded, strict=True) if g == level]
            below = [s for s, g in zip(row, graded, strict=True) if g < level and g != IGNORED]
            if inside and below:
                z = math.log(sum(math.exp(s / temperature) for s in inside + below))
                total += weight * sum(z - s / temperature for s in inside) / len(inside)
                weights += weight
                weight /= 2
        if weights:
            losses.append(total / weights)
    return sum(losses) / len(losses) if losses else 0.0


def circle_loop(scores, grades, targets=TARGETS, margin=0.1, gamma=8.0, at=None):
    """`at` are the scores from which the brackets are taken; the scores themselves unless given."""
    losses = []
    for row, fixed, graded in zip(scores, at or scores, grades, strict=True):
        parts = []
        for b, a in combinations(sorted(targets), 2):
            low = [
                gamma * max(0, f - (targets[b] - margin)) * (s - targets[b] - margin)
                for s, f, g in zip(row, fixed, graded, strict=True)
                if g == b
            ]
            high = [
                -gamma * max(0, targets[a] + margin - f) * (s - targets[a] + margin)
                for s, f, g in zip(row, fixed, graded, strict=True)
                if g == a
            ]
            if low and high:
                parts.append(math.log(1 + sum(map(math.exp, low)) * sum(map(math.exp, high))))
        if parts:
            losses.append(sum(parts) / len(parts))
    return sum(losses) / len(losses) if losses else 0.0


def multiple_negatives_loop(scores, grades, scale=20.0):
    losses = []
    for row, graded in zip(scores, grades, strict=True):
        best = max(graded)
        below = [s for s, g in zip(row, graded, strict=True) if g < best and g != IGNORED]
        for s, g in zip(row, graded, strict=True):
            if g == best > 0 and below:
                z = math.exp(scale * s) + sum(math.exp(scale * other) for other in below)
                losses.append(math.log(z) - scale * s)
    return sum(losses) / len(losses) if losses else 0.0


def cosent_loop(scores, grades, scale=20.0):
    judged = [
        (s, g) for row, graded in zip(scores, grades, strict=True) for s, g in zip(row, graded, strict=True) if g >= 0
    ]
    return math.log(1 + sum(math.exp(scale * (t - s)) for s, a in judged for t, b in judged if a > b))


LOOPS = {"supcon": supcon_loop, "circle": circle_loop, "mnrl": multiple_negatives_loop, "cosent": cosent_loop}


@st.composite
def batches(draw):
    queries, documents = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    score = st.floats(-1, 1, width=32)
    grade = st.sampled_from([2, 1, 0, UNJUDGED, IGNORED])
    return (
        [[draw(score) for _ in range(documents)] for _ in range(queries)],
        [[draw(grade) for _ in range(documents)] for _ in range(queries)],
    )


def test_supcon_by_hand():
    # t .5: grade 2: log((e^1.8 + e^1.2 + e^.4) / e^1.8) = .585233; grade 1: log((e^1.2 + e^.4) / e^1.2) = .371101;
    # (.585233 + .371101 / 2) / 1.5 = .513855
    scores, grades = tensors([[0.9, 0.6, 0.2]], [[2, 1, 0]])
    assert float(graded_supcon(scores, grades, temperature=0.5)) == pytest.approx(0.513855, abs=5e-7)


def test_circle_by_hand():
    # m .15, g 24. Grade 0, s .3: .3 - (.1 - .15) = .35 times .3 - .25 = .05, by 24: .42; s .1: .15 x -.15, -.54;
    # their LSE .744178. Grade 1, s .5: from above .25 x -.05: -.3, from below .05 x .25: -.3. Grade 2, s .8: -.3.
    # Pairs (0, 1) and (0, 2): softplus(.744178 - .3) = .939697; (1, 2): softplus(-.3 - .3) = .437488; mean .772294.
    scores, grades = tensors([[0.8, 0.5, 0.3, 0.1]], [[2, 1, 0, 0]])
    found = multiclass_circle(scores, grades, TARGETS, margin=0.15, gamma=24.0)
    assert float(found) == pytest.approx(0.772294, abs=5e-7)


def test_multiple_negatives_by_hand():
    # Two positives against the 1 and the unjudged one, scale 1: log(1 + (e^.5 + e^.1) / e^.9) = .776543 and with e^.7
    # log(1 + (e^.5 + e^.1) / e^.7) = .863...; the other positive is nobody's negative.
    scores, grades = tensors([[0.9, 0.7, 0.5, 0.1, 0.99]], [[2, 2, 1, UNJUDGED, IGNORED]])
    parts = [math.log(1 + (math.exp(0.5) + math.exp(0.1)) / math.exp(s)) for s in (0.9, 0.7)]
    assert float(multiple_negatives(scores, grades, scale=1.0)) == pytest.approx(sum(parts) / 2)


def test_two_grades_with_targets_0_and_1_are_the_published_circle_loss():
    positive, negative = torch.tensor([0.8, 0.3]), torch.tensor([0.6, -0.2, 0.1])
    m, gamma = 0.25, 16.0
    # Equation 6 and 8 of arXiv:2002.10857: O_p = 1 + m, O_n = -m, D_p = 1 - m, D_n = m.
    ap, an = (1 + m - positive).clamp(min=0), (negative + m).clamp(min=0)
    wrong = torch.exp(gamma * an * (negative - m)).sum() * torch.exp(-gamma * ap * (positive - (1 - m))).sum()
    found = multiclass_circle(
        torch.cat([positive, negative])[None], torch.tensor([[1, 1, 0, 0, 0]]), {0: 0.0, 1: 1.0}, m, gamma
    )
    assert float(found) == pytest.approx(float(torch.log(1 + wrong)), rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
@few
@given(batch=batches())
def test_a_plain_loop_gives_the_same(name, batch):
    assert float(LOSSES[name](*tensors(*batch))) == pytest.approx(LOOPS[name](*batch), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["supcon", "mnrl", "cosent"])
@few
@given(batch=batches())
def test_gradients(name, batch):
    scores, grades = tensors(*batch)
    assert torch.autograd.gradcheck(lambda s: LOSSES[name](s, grades), scores.requires_grad_(), atol=1e-4)


@few
@given(batch=batches())
def test_the_gradient_of_circle_loss_holds_its_brackets_fixed(batch):
    scores, grades = tensors(*batch)
    (found,) = torch.autograd.grad(multiclass_circle(scores.requires_grad_(), grades, TARGETS), scores)
    rows, graded = batch
    for i, row in enumerate(rows):
        for j in range(len(row)):
            up, down = ([list(each) for each in rows] for _ in range(2))
            up[i][j] += 1e-6
            down[i][j] -= 1e-6
            slope = (circle_loop(up, graded, at=rows) - circle_loop(down, graded, at=rows)) / 2e-6
            assert float(found[i, j]) == pytest.approx(slope, abs=1e-6)


@every_loss
@pytest.mark.parametrize("grade", [2, 1, 0, UNJUDGED, IGNORED])
def test_one_grade_alone_teaches_nothing(loss, grade):
    scores, grades = tensors([[0.9, -0.2], [0.1, 0.4]], [[grade, grade], [IGNORED, IGNORED]])
    found = loss(scores.requires_grad_(), grades)
    found.backward()
    assert found.item() == 0
    assert torch.equal(scores.grad, torch.zeros_like(scores))


@every_loss
def test_what_is_ignored_has_no_gradient(loss):
    scores, grades = tensors([[0.5, 0.2, 0.3]], [[2, 0, IGNORED]])
    loss(scores.requires_grad_(), grades).backward()
    assert float(scores.grad[0, 2]) == 0
    assert float(scores.grad[0, 0]) < 0 < float(scores.grad[0, 1])


@every_loss
@few
@given(batch=batches(), data=st.data())
def test_order_and_place_in_the_batch_do_not_matter(loss, batch, data):
    scores, grades = tensors(*batch)
    rows = data.draw(st.permutations(range(scores.shape[0])))
    columns = data.draw(st.permutations(range(scores.shape[1])))
    moved = loss(scores[rows][:, columns], grades[rows][:, columns])
    assert float(moved) == pytest.approx(float(loss(scores, grades)), rel=1e-9, abs=1e-9)


@every_loss
@few
@given(batch=batches(), unused=st.integers(1, 3))
def test_a_query_that_says_nothing_changes_nothing(loss, batch, unused):
    scores, grades = tensors(*batch)
    more = torch.full((unused, scores.shape[1]), IGNORED)
    padded = loss(torch.cat([scores, torch.rand(more.shape, dtype=scores.dtype)]), torch.cat([grades, more]))
    assert float(padded) == pytest.approx(float(loss(scores, grades)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", [1.0, 1e4, 1e12])
def test_extremes_stay_finite_in_float32(name, size):
    scores, grades = tensors(
        [[-size, size, 0.0, size], [size, -size, size, -size]],
        [[2, 0, UNJUDGED, 1], [2, 1, 0, IGNORED]],
        torch.float32,
    )
    found = LOSSES[name](scores.requires_grad_(), grades)
    found.backward()
    assert torch.isfinite(found)
    assert torch.isfinite(scores.grad).all()


def test_circle_loss_stays_finite_where_its_scale_is_that_of_the_paper():
    scores, grades = tensors([[-1.0, 1.0, 1.0]], [[2, 1, 0]], torch.float32)
    found = multiclass_circle(scores.requires_grad_(), grades, TARGETS, gamma=256.0)
    found.backward()
    assert torch.isfinite(found)
    assert torch.isfinite(scores.grad).all()


def test_cosent_ranks_by_expected_grades_too():
    scores, grades = torch.tensor([[0.2, 0.5, 0.4]]), torch.tensor([[1.9, 0.3, 0.3]])
    # Equal grades are no pair; scale 1: log(1 + e^.3 + e^.2)
    assert float(cosent(scores, grades, scale=1.0)) == pytest.approx(math.log(1 + math.exp(0.3) + math.exp(0.2)))


def test_supcon_and_multiple_negatives_know_other_lowest_grades():
    scores = torch.tensor([[0.2, 0.5, 0.4]])
    for loss in (graded_supcon, multiple_negatives):
        plain = float(loss(scores, torch.tensor([[2, 1, 0]])))
        assert float(loss(scores, torch.tensor([[3, 2, 1]]), lowest=1)) == pytest.approx(plain)
        assert float(loss(scores, torch.tensor([[1, UNJUDGED, 1]]), lowest=1)) == 0


def test_targets_are_the_means_spread_about_their_middle():
    # Middle of .2 and .5: .35; twice as far from it: .05, .65, and .3 goes to .25.
    found = spread_targets({0: 0.2, 1: 0.3, 2: 0.5}, 2)
    assert [found[grade] for grade in (0, 1, 2)] == pytest.approx([0.05, 0.25, 0.65])
    # Where stage 1 holds 2 below 1, the places stay and the grades take them in their order.
    assert [*spread_targets({0: 0.2, 1: 0.5, 2: 0.4}, 1).values()] == pytest.approx([0.2, 0.4, 0.5])
