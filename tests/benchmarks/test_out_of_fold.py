"""What judges said of queries that they did not learn from: what is kept of it, and who may learn from it."""

import numpy as np
import pyarrow.parquet as pq

from benchmarks.blend import RatedSet
from benchmarks.out_of_fold import FOLDS, KEPT, crossed


def test_what_is_kept_is_figures_alone_a_row_a_pair():
    kept = pq.read_table(KEPT)
    numbers = ["grade_0", "grade_1", "grade_2", "cosine", "overlap"]
    assert kept.column_names == ["set", "row", "fold", *numbers, "lexical"], "no texts, and no people's grades"
    for name, count in (("esci", 4481), ("chorus", 2226)):
        rows = kept.filter(np.array(kept["set"].to_pylist()) == name)
        assert rows["row"].to_pylist() == list(range(count))
        assert set(rows["fold"].to_pylist()) == set(range(FOLDS))
        assert np.allclose(np.sum([rows[each].to_numpy() for each in numbers[:3]], axis=0), 1, atol=1e-5)


def test_a_blend_is_not_fitted_on_what_it_is_measured_on():
    rng = np.random.default_rng(0)
    truth, query = rng.integers(0, 3, 180), np.repeat(np.arange(30), 6)
    own = rng.dirichlet((2, 2, 2), 180)
    made = RatedSet(own, rng.normal(size=(180, 3)) + truth[:, None], truth, truth.astype(float), query, (0, 1, 2))
    fold, all_of_them = query % FOLDS, np.ones(180, dtype=bool)
    given, score = crossed(made, fold, all_of_them)
    other = truth.copy()
    other[fold == 1] = 2 - other[fold == 1]
    again = RatedSet(own, made.values, other, other.astype(float), query, (0, 1, 2))
    turned, scored = crossed(again, fold, all_of_them)
    assert (turned[fold == 1] == given[fold == 1]).all()
    assert np.allclose(scored[fold == 1], score[fold == 1])
    assert not np.allclose(scored[fold == 0], score[fold == 0])
