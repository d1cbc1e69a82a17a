"""What carts and purchases are counted against, and what clicks that are set aside may contradict."""

import csv

import numpy as np
import pytest

from audit.engagement.borne_out import BorneOut
from audit.engagement.evidence import ChannelPosterior
from audit.engagement.flags import Weighed, find_flags
from audit.engagement.joint import Joint
from audit.engagement.labelled import Labelled
from audit.engagement.trials import Trials, apart, choose


def test_carts_beyond_clicks_tell_the_queries_that_cart_from_the_list():
    # 12 of 20 carts cannot have followed a click: 1/21 under any share, far less under 0.5%. One stray event in 200
    # can be: that query, and the one without carts, go with the queries where carts follow clicks.
    beyond, carts = np.array([0.0, 12.0, 1.0, 0.0]), np.array([20.0, 20.0, 200.0, 0.0])
    assert apart(beyond, carts).tolist() == [False, True, False, False]


def test_a_query_with_few_carts_goes_with_the_others():
    # Where nine of ten queries cart from the list, one cart that a click could explain does not make the tenth differ.
    beyond, carts = np.array([30.0] * 9 + [0.0]), np.array([50.0] * 9 + [1.0])
    assert apart(beyond, carts).all()
    assert not apart(0 * beyond, carts).any()


def test_purchases_follow_carts_else_clicks_else_impressions():
    # Of the first query all 40 purchases are within the carts, of the second within the clicks, of the third neither.
    none, many = np.zeros(3), np.full(3, 40.0)
    beyond = {
        "carts_clicks": none,
        "purchases_carts": np.array([0.0, 40.0, 40.0]),
        "purchases_clicks": np.array([0.0, 0.0, 30.0]),
    }
    carts, purchases = choose(beyond, many, many)
    assert carts.tolist() == [1, 1, 1]
    assert purchases.tolist() == [2, 1, 0]


def test_the_audit_says_which_queries_cart_without_clicks(main, tmp_path):
    with (tmp_path / "grades.csv").open("w") as grades, (tmp_path / "counts.csv").open("w") as counts:
        labels, rows = csv.writer(grades), csv.writer(counts)
        labels.writerow(["query", "candidate_id", "grade"])
        rows.writerow(["query", "candidate_id", "position", "impressions", "clicks", "add_to_carts"])
        for i in range(120):
            query, good = f"query {i // 10}", i % 2
            labels.writerow([query, i, 2 * good])
            # Four of the twelve queries cart from the list: more carts than clicks.
            listed = i // 10 < 4
            for place in (1, 2):
                rows.writerow([query, i, place, 400, 5 + 60 * good, (9 + 90 * good) if listed else 1 + 20 * good])
    main("import", "grades.csv", "--out", "run")
    found = main("audit", "run", "counts.csv", "--out", "audit", "--json").json
    assert found["trials"]["carts"] == {"examined impression": 4, "click": 8, "cart": 0}
    per = {name: rate["per"] for name, rate in found["rates"].items()}
    assert per["carts"] == "click"
    assert per["carts per examined impression"] == "examined impression"
    # 99 of about 400 examined impressions, however deep: never more than one in one.
    assert 0 < found["rates"]["carts per examined impression"]["by_grade"]["2"] < 0.6


@pytest.mark.parametrize(("unused_clicks", "flagged"), [(0.0, True), (30.0, False)])
def test_no_pair_is_ignored_whose_clicks_set_aside_say_otherwise(unused_clicks, flagged):
    # Its grade gets a click from every tenth look: of 100 + 200, had all been looked at, 30. It got 1, and those.
    one, none = np.ones(1), np.zeros(1)
    labelled = Labelled(
        row=np.ones(1, dtype=np.int64),
        query_id=["q"],
        query=["q"],
        candidate_id=["c"],
        candidate=[{}],
        grade=np.full(1, 2),
        probabilities=np.full((1, 3), np.nan),
        people=np.full(1, -1),
        index=np.zeros(1, dtype=np.int64),
        impressions=300 * one,
        examined=100 * one,
        live=100 * one,
        clicks=one + unused_clicks,
        debiased_clicks=one,
        carts=none,
        purchases=none,
        unused=200 * one,
        unused_clicks=unused_clicks * one,
        trials=Trials(np.ones(1, dtype=np.int64), np.full(1, 2)),
    )
    posterior = np.array([[0.97, 0.02, 0.01]])
    clicks = ChannelPosterior(posterior, None, np.array([[0.01, 0.05, 0.1]]))
    weighed = Weighed(
        posterior,
        np.full((1, 3), 1 / 3),
        clicks,
        {},
        {},
        Joint(posterior, posterior, np.zeros(1), None, ()),
        BorneOut(1.0, 0.1),
        np.zeros(1, dtype=np.int64),
    )
    kinds = [str(flag.type) for flag in find_flags(labelled, weighed, 0.1)]
    assert ("ignored_but_relevant" in kinds) is flagged
