"""Raters, clauses, segments and disagreements, on a panel small enough to count by hand."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from audit.agreement.clauses import confused_clauses, report_clauses
from audit.agreement.comparison import GradedSide, compare, compare_people
from audit.agreement.disagreements import instructive
from audit.agreement.people import people_agree, report_people
from audit.agreement.raters import report_raters
from audit.agreement.segments import clustered_difference, facets, report_segments
from judge.ratings.panel import Panel, Unit
from judge.words.guideline import load_guideline

NONE = float("nan")
VALUES = (0, 1, 2)


def panel(grades, gold=None, clauses=None, times=None, queries=None, facet=()):
    grades = np.array(grades, dtype=float)
    names = queries or [f"q{i // 2}" for i in range(grades.shape[1])]
    some = list(facet) or [{}] * len(names)
    units = [Unit(q, f"query {q}", f"P{i}", f) for i, (q, f) in enumerate(zip(names, some, strict=True))]
    times = np.full(grades.shape, NONE) if times is None else np.array(times, dtype=float)
    gold = None if gold is None else np.array(gold, dtype=float)
    raters = ("ann", "ben", "cleo", "dan")[: len(grades)]
    return Panel(
        "f.csv", VALUES, units, raters, grades, gold, "agreed" if gold is not None else None, clauses or {}, times
    )


def test_a_rater_by_hand():
    # cleo stands alone on the third pair (others 2 and 2) and on the fourth (1 and 1); the first has no majority.
    given = [[0, 1, 2, 1], [1, 1, 2, 1], [0, 1, 0, 2]]
    found = {r.rater: r for r in report_raters(panel(given))}
    assert [(a.unit, a.grade, a.others) for a in found["cleo"].alone] == [(2, 0, 2), (3, 2, 1)]
    assert found["cleo"].with_others.value == 1 / 3
    assert found["cleo"].bias.value == pytest.approx((0 - 2 + 1) / 3)
    assert found["cleo"].leans[2].strict == 1
    assert found["cleo"].leans[1].lenient == 1 / 2
    assert found["cleo"].leans[0].lenient is None
    assert found["cleo"].with_gold.value is None
    assert "adjudicated" in found["cleo"].with_gold.reason
    assert found["ann"].with_others.value == 1  # the others tie on the third and the fourth pair


def test_errors_of_which_the_model_knows_nothing_are_null():
    # ben rated one pair, of grade 0 by all accounts: of what he gives where another grade is true nobody knows.
    found = {r.rater: r for r in report_raters(panel([[0, 1, 2, 1], [0, NONE, NONE, NONE], [0, 1, 2, 1]]))}
    assert [row and [round(share, 6) for share in row] for row in found["ben"].confusion] == [[1, 0, 0], None, None]
    assert found["ben"].true_pairs == pytest.approx([1, 0, 0], abs=1e-6)
    assert found["ann"].true_pairs == pytest.approx([1, 2, 1], abs=1e-6)


def test_couples_of_raters_are_those_that_are_counted_one_by_one():
    table = np.where(np.random.default_rng(3).random((6, 30)) < 0.5, NONE, np.random.default_rng(4).integers(0, 3, 30))
    queries = np.array([f"q{i % 7}" for i in range(30)])
    expected = np.zeros((3, 3), dtype=int)
    for a, b in permutations(table, 2):
        for one, other in zip(a, b, strict=True):
            if not np.isnan(one + other):
                expected[int(one), int(other)] += 1
    sides = [GradedSide(str(i), row) for i, row in enumerate(table)]
    assert compare_people(sides, queries, VALUES).confusion == expected.tolist()


def test_speed_leaves_breaks_out_and_drift_compares_halves():
    times = [[0, 10, 20, 32, 5000, 5010, 5020, 5030]] * 2
    given = [[0, 1, 2, 0, 1, 2, 0, 1], [0, 1, 2, 0, 0, 2, 1, 0]]
    found = {r.rater: r for r in report_raters(panel(given, times=times))}["ben"]
    assert found.seconds == 10
    assert found.drift.value == -3 / 4
    assert found.quarters == [1, 1, 0.5, 0]
    assert report_raters(panel(given))[0].drift.reason == "the file has no times"


def test_who_falls_stands_out_and_who_rises_does_not():
    # Of 40 queries, all asked early and late, ann is wrong in every second one late, and ben early.
    truth, late, even = np.arange(80) % 3, np.arange(80) >= 40, np.arange(80) % 2 == 0
    given = [np.where(even & when, (truth + 1) % 3, truth) for when in (late, ~late)]
    some = panel(given, gold=truth, times=[np.arange(80)] * 2, queries=[f"q{i % 40}" for i in range(80)])
    found = {rater.rater: rater for rater in report_raters(some)}
    assert (found["ann"].drift.value, found["ben"].drift.value) == (-0.5, 0.5)
    assert found["ann"].drift_q < 0.001
    assert found["ben"].drift_q > 0.9


def test_the_clause_behind_the_disagreements_comes_first():
    given = [[2, 1, 0, 2], [2, 1, 1, 0]]
    clauses = {(0, 0): "full-match", (1, 0): "full-match", (0, 2): "restriction", (1, 2): "one-attribute"}
    clauses |= {(0, 3): "accessory", (1, 3): "restriction"}
    some = panel(given, clauses=clauses)
    hits = people_agree(some)
    found = report_clauses(some, hits, hits, load_guideline())
    by_name = {c.clause: c for c in found}
    assert found[0].clause == "restriction"
    assert (by_name["restriction"].n, by_name["restriction"].agreement.value) == (2, 0)
    assert by_name["full-match"].agreement.value == 1
    assert by_name["accessory"].over == 1  # 2 where it allows 1
    assert {(c.first, c.second, c.grades_differ) for c in confused_clauses(some)} == {
        ("one-attribute", "restriction", 1),
        ("accessory", "restriction", 1),
    }


def test_confusions_that_change_grades_come_first():
    # Accessory and restriction are named for two pairs with one grade; one-attribute and restriction for one with two.
    given = [[1, 1, 2], [1, 1, 0]]
    clauses = {(0, 0): "accessory", (1, 0): "restriction", (0, 1): "accessory", (1, 1): "restriction"}
    clauses |= {(0, 2): "one-attribute", (1, 2): "restriction"}
    found = confused_clauses(panel(given, clauses=clauses))
    assert [(c.first, c.n, c.grades_differ) for c in found] == [("one-attribute", 1, 1), ("accessory", 2, 0)]
    assert confused_clauses(panel(given, clauses=clauses), most=1) == found[:1]


def test_a_segment_that_differs_is_found_and_noise_is_not():
    random = np.random.default_rng(0)
    queries = [f"q{i // 10}" for i in range(600)]
    locale = ["de" if i // 10 < 15 else "en" for i in range(600)]
    facet = [{"locale": name, "kind": str(random.integers(4))} for name in locale]
    hits = np.where([name == "de" for name in locale], random.random(600) < 0.5, random.random(600) < 0.9)
    some = panel([[0] * 600], queries=queries, facet=facet)
    found = {(s.facet, s.value): s for s in report_segments(some, hits.astype(float))}
    german = found["locale", "de"]
    assert german.q < 0.001
    assert german.difference < -0.3
    assert german.lost == pytest.approx(-150 * german.difference)
    assert all(s.q > 0.05 for (facet, _), s in found.items() if facet == "query kind")
    assert report_segments(some, hits.astype(float))[0].facet == "locale"


def test_a_clustered_p_value_holds_its_level():
    random, low = np.random.default_rng(1), 0
    for _ in range(400):
        ease = random.beta(2, 2, 40)  # pairs of a query are alike, and the groups are halves of the queries
        counts = random.binomial(20, ease)
        table = np.zeros((40, 2, 2))
        half = np.arange(40) % 2
        table[np.arange(40), half, 0], table[np.arange(40), half, 1] = counts, 20 - counts
        low += (clustered_difference(table)[1] or 1) < 0.05
    assert low / 400 < 0.085  # binomial error of 400 draws included


def of_groups(inside, outside):
    """Queries of one pair each: hits and misses inside and outside."""
    cells = [np.array(cell) for cell in ([[1, 0], [0, 0]], [[0, 1], [0, 0]], [[0, 0], [1, 0]], [[0, 0], [0, 1]])]
    return np.concatenate([np.repeat(c[None], n, axis=0) for c, n in zip(cells, (*inside, *outside), strict=True)])


def test_a_small_segment_without_a_miss_is_no_finding_by_itself():
    # Ten of ten where the rest has eight in ten: Fisher's exact test gives 0.23.
    exact = stats.fisher_exact([[10, 0], [792, 198]]).pvalue
    difference, p = clustered_difference(of_groups((10, 0), (792, 198)).astype(float))
    assert difference == pytest.approx(0.2)
    assert exact > 0.2
    # By hand: pooled .802; the variance of ten is .802 * .198 / 10, that of 990 is small beside it.
    error = np.sqrt(0.802 * 0.198 / 10 + 0.802 * 0.198 / 990)
    assert p == pytest.approx(2 * stats.t.sf(0.2 / error, 9), rel=1e-3)
    # The largest difference there is has a p-value too.
    assert clustered_difference(of_groups((20, 0), (0, 20)).astype(float))[1] < 0.001


@pytest.mark.parametrize(("pairs", "ease"), [(1, None), (20, (0.95, 0.05))])
def test_small_segments_near_perfection_hold_their_level(pairs, ease):
    random, low, trials = np.random.default_rng(2), 0, 300
    for _ in range(trials):  # 300 queries, ten of them (or twenty of one pair) a segment, 95% hits everywhere
        rates = np.full(300, 0.95) if ease is None else random.beta(*ease, 300)
        hits = random.binomial(pairs, rates)
        table, group = np.zeros((300, 2, 2)), (np.arange(300) >= (20 if pairs == 1 else 10)).astype(int)
        table[np.arange(300), group, 0], table[np.arange(300), group, 1] = hits, pairs - hits
        low += clustered_difference(table)[1] < 0.05
    assert low / trials < 0.085


def test_facets_that_nobody_knows_are_left_out():
    units = panel([[0, 0, 0]], queries=["a", "b", "c"], facet=[{"traffic": "90"}, {"traffic": "9"}, {}]).units
    found = facets(units)
    assert set(found) == {"query length", "traffic"}
    assert found["traffic"] == ["head", "tail", None]
    odd = [{"traffic": "90"}, {"traffic": "nan"}, {"traffic": "9"}]
    assert facets(panel([[0, 0, 0]], queries=["a", "b", "c"], facet=odd).units)["traffic"] == ["head", None, "tail"]


def test_the_most_instructive_disagreement_is_far_united_and_sure():
    people = panel([[2, 2, 1, 0], [2, 0, 1, 0], [2, 2, 1, 0]], queries=list("abcd"))
    sure = np.array([[0.9, 0.1, 0], [0.9, 0.1, 0], [0.9, 0.1, 0], [1, 0, 0]])
    judged = GradedSide("run", np.zeros(4), np.zeros(4), sure)
    found = instructive(people, GradedSide("majority", np.array([2, 2, 1, 0.0])), judged)
    assert [d.candidate_id for d in found] == ["P0", "P1", "P2"]
    assert (found[0].reference, found[0].judged, found[0].confidence) == (2, 0, 0.9)
    assert [d.candidate_id for d in instructive(people, None, None)] == ["P1"]


def test_two_raters_compared_both_ways_are_symmetric():
    sides = [GradedSide("ann", np.array([0, 1, 2, 2.0])), GradedSide("ben", np.array([0, 2, 2, NONE]))]
    queries = np.array(["a", "a", "b", "b"])
    both = compare_people(sides, queries, VALUES)
    assert both.n == 3
    assert both.confusion == [[2, 0, 0], [0, 0, 1], [0, 1, 2]]
    one = compare(sides[0], sides[1], queries, VALUES)
    assert one["accuracy"].value == both["accuracy"].value == 2 / 3
    assert one["alpha_nominal"].value == both["alpha_nominal"].value == pytest.approx(both_alpha(sides))
    assert "spearman" not in one.figures


def test_alpha_of_several_raters_is_that_of_all_of_them():
    table = panel([[0, 1, 2, 2], [0, 2, 2, NONE], [1, 2, NONE, NONE]])
    sides = [GradedSide(name, grades) for name, grades in zip(table.raters, table.grades, strict=True)]
    both, everybody = compare_people(sides, table.queries, VALUES), report_people(table)
    for name in ("alpha_nominal", "alpha_ordinal", "alpha_interval"):
        assert both[name] == everybody.figures[name]
    assert both["alpha_nominal"].value == pytest.approx(both_alpha(sides))


def both_alpha(sides):
    from krippendorff import alpha

    return alpha(np.array([side.grades for side in sides]), value_domain=[0, 1, 2], level_of_measurement="nominal")


def test_people_without_shared_pairs_have_reasons_instead_of_figures():
    found = report_people(panel([[0, NONE], [NONE, 1]]))
    assert found.shared == 0
    assert all(e.value is None and e.reason for e in found.figures.values())
