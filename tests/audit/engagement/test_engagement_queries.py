"""Queries without clicks, thin ones, kinds, weights; and people's grades beside the label's. Worked by hand."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, write_flags

from audit.engagement.aggregate import aggregate
from audit.engagement.auditing import Settings, audit
from audit.engagement.clickmodels import ClickModel
from audit.engagement.examination import Examination
from audit.engagement.labelled import LabelledPairs, gather, match
from audit.engagement.queries import QueryKinds, traffic_mix, zero_click_summary
from audit.engagement.source import EngagementFile, connect
from judge.errors import InputError
from judge.labelling.importing import import_run
from judge.pairs.stage import Source
from judge.records import query_key
from judge.run.store import Run
from judge.words.guideline import load_guideline

SHOP = ROOT / "examples" / "shop"


def make_run(path, grades, catalogue=None):
    run, policy = Run(path), load_guideline()
    known = {str(value): value for value in policy.values}
    with run.writing():
        import_run(run, Source(grades, catalogue, grades=known, need_text=False), policy)
    return run


def test_zero_clicks_mix_and_weights_by_hand(tmp_path):
    with (tmp_path / "shown.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["search_id", "query", "candidate_id", "position", "clicked", "kind", "promoted"])
        # Tents: 8 searches, 2 clicked; Stoves: 4 searches, 3 clicked, promoted; lamps: 4 searches, none, not labelled.
        for number in range(8):
            writer.writerow([f"t{number}", "tent", "A", 1, int(number < 2), "category", "false"])
        for number in range(4):
            writer.writerow([f"s{number}", " Gas  Stove", "B", 1, int(number < 3), "one_attribute", "true"])
            writer.writerow([f"l{number}", "lamp", "C", 1, 0, "category", "false"])
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\ntent,A,2\ntent,X,0\ntent,Y,0\ngas stove,B,2\n")
    found = audit(
        make_run(tmp_path / "run", tmp_path / "grades.csv"), EngagementFile(tmp_path / "shown.csv"), Settings()
    )
    rows = {row.query.strip(): row for row in found.queries}
    assert {name: row.zero_click for name, row in rows.items()} == {"tent": 0.75, "Gas  Stove": 0.25, "lamp": 1.0}
    # Of the labelled queries' 12 searches two thirds are for tents, of the 4 labelled pairs three quarters.
    assert rows["tent"].weight == pytest.approx((8 / 12) / (3 / 4))
    assert rows["Gas  Stove"].weight == pytest.approx((4 / 12) / (1 / 4))
    assert rows["lamp"].weight is None
    assert all(row.thin for row in rows.values())
    summary = zero_click_summary(found.queries)
    assert summary["popular"] == {"queries": 1, "above": 1, "share": 1.0, "searches": 8, "zero_click_rate": 0.75}
    assert summary["promoted"]["share"] == 0
    assert traffic_mix(found.queries)["labelled_share_of_searches"] == pytest.approx(12 / 16)
    assert found.flags == []
    assert found.weighed.clicks.rates is None, "three pairs teach nothing"


def shown(path, head, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([["search_id", *head, "candidate_id", "position", "clicked"], *rows])
    return EngagementFile(path)


def test_spellings_of_one_query_are_one_query(tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\ntent,A,2\ntent,X,0\nlamp,B,1\n")
    # "tent" in two spellings: 6 clicks each, and 16 of the 20 searches; lamps have the other 4.
    rows = [[f"t{i}", "Tent" if i % 2 else "tent", "A", 1, int(i < 12)] for i in range(16)]
    rows += [[f"l{i}", "lamp", "B", 1, 0] for i in range(4)]
    run = make_run(tmp_path / "run", tmp_path / "grades.csv")
    found = audit(run, shown(tmp_path / "shown.csv", ["query"], rows), Settings())
    tents, lamps = found.queries
    assert (tents.searches, tents.clicks, tents.zero_click, tents.thin) == (16, 12, 0.25, False)
    assert tents.weight == pytest.approx((16 / 20) / (2 / 3))
    assert lamps.weight == pytest.approx((4 / 20) / (1 / 3))
    assert traffic_mix(found.queries)["labelled_queries"] == 2


def test_kinds_of_ones_own_are_counted_too(tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\ntent,A,2\nlamp,B,1\n")
    rows = [["t", "tent", "navigational", "A", 1, 0], ["l", "lamp", "category", "B", 1, 1]]
    run = make_run(tmp_path / "run", tmp_path / "grades.csv")
    found = audit(run, shown(tmp_path / "shown.csv", ["query", "kind"], rows), Settings())
    mix = traffic_mix(found.queries)["by_kind"]
    assert list(mix) == ["category", "navigational"]
    assert sum(share["share_of_searches"] for share in mix.values()) == 1


def test_the_mix_counts_kinds_that_nobody_labelled(tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\ntent,A,2\n")
    (tmp_path / "products.csv").write_text("candidate_id,title,category,brand\nA,Tent,tents,Nordisk\n")
    # One search for the labelled category; others for a brand, with an attribute, and for a word that nothing here has.
    texts = ("tent", "nordisk", "red tent", "zzz")
    rows = [[str(n), text, "A", 1, 0] for n, text in enumerate(texts)]
    run = make_run(tmp_path / "run", tmp_path / "grades.csv", tmp_path / "products.csv")
    found = audit(run, shown(tmp_path / "shown.csv", ["query"], rows), Settings())
    mix = traffic_mix(found.queries)["by_kind"]
    assert {kind: (share["share_of_searches"], share["share_of_labelled_pairs"]) for kind, share in mix.items()} == {
        "category": (0.25, 1),
        "product_name": (0.25, 0),
        "one_attribute": (0.25, 0),
        "unknown": (0.25, 0),
    }


def test_ids_that_are_not_the_runs_are_found_by_their_text(tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\ntent,A,2\nlamp,A,1\n")
    # e1 stands for one text; e2 for two, which tells nothing.
    rows = [["s1", "e1", "Tent", "A", 1, 1], ["s2", "e2", "lamp", "A", 1, 1], ["s3", "e2", "stove", "A", 1, 0]]
    run = make_run(tmp_path / "run", tmp_path / "grades.csv")
    found = audit(run, shown(tmp_path / "shown.csv", ["query_id", "query"], rows), Settings())
    assert dict(zip(found.labelled.query, found.labelled.impressions, strict=True)) == {"tent": 1, "lamp": 0}
    assert (found.unmatched, {row.query for row in found.queries}) == (1, {"Tent", "e2"})


def test_people_of_other_pairs_are_refused_and_those_of_the_run_are_counted(tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\ntent,A,2\nlamp,A,1\n")
    (tmp_path / "people.csv").write_text("query,candidate_id,grade\ntent,A,1\nstove,A,1\n")
    (tmp_path / "others.csv").write_text("query,candidate_id,grade\ntents,A,1\n")
    run = make_run(tmp_path / "run", tmp_path / "grades.csv")
    events = shown(tmp_path / "shown.csv", ["query"], [["t", "tent", "A", 1, 1]])
    found = audit(run, events, Settings(ratings=LabelledPairs(tmp_path / "people.csv", {})))
    assert found.as_json()["pairs"]["with_people_grade"] == 1
    with pytest.raises(InputError, match=r"others\.csv: none of its rated pairs is in"):
        audit(run, events, Settings(ratings=LabelledPairs(tmp_path / "others.csv", {})))


def test_people_with_query_ids_are_heard_of_a_run_without_them(tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\ntent,A,2\nlamp,A,1\n")
    (tmp_path / "people.csv").write_text("query_id,query,candidate_id,grade\n1,lamp,A,0\n2,tent,A,1\n")
    run = make_run(tmp_path / "run", tmp_path / "grades.csv")
    events = shown(tmp_path / "shown.csv", ["query"], [["t", "tent", "A", 1, 1]])
    found = audit(run, events, Settings(ratings=LabelledPairs(tmp_path / "people.csv", {})))
    assert dict(zip(found.labelled.query, found.labelled.people, strict=True)) == {"tent": 1, "lamp": 0}


def test_two_grades_of_one_pair_under_two_ids_are_refused(tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\nlamp,A,1\n")
    (tmp_path / "people.csv").write_text("query_id,query,candidate_id,grade\n1,lamp,A,0\n2,lamp,A,1\n")
    run = make_run(tmp_path / "run", tmp_path / "grades.csv")
    events = shown(tmp_path / "shown.csv", ["query"], [["t", "lamp", "A", 1, 1]])
    with pytest.raises(InputError, match=r"people\.csv: rates candidate 'A' .* twice"):
        audit(run, events, Settings(ratings=LabelledPairs(tmp_path / "people.csv", {})))


def test_one_map_serves_the_events_and_peoples_grades(main, tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\ntent,A,2\n")
    (tmp_path / "people.csv").write_text("query,sku,mark\ntent,A,1\n")
    make_run(tmp_path / "run", tmp_path / "grades.csv")
    shown(tmp_path / "shown.csv", ["term"], [["t", "tent", "A", 1, 1]])
    maps = ("--map", "candidate_id=sku", "--map", "query=term")
    asked = ("audit", "run", "shown.csv", "--people", "people.csv", "--rating", "mark", *maps, "--json")
    found = json.loads(main(*asked, "--out", "audit").out)
    assert found["pairs"]["with_people_grade"] == 1
    (tmp_path / "plain.csv").write_text("query,candidate_id,grade\ntent,A,1\n")
    found = json.loads(
        main("audit", "run", "shown.csv", "--people", "plain.csv", *maps[2:], "--out", "b", "--json").out
    )
    assert found["pairs"]["with_people_grade"] == 1, "a map that is the events' alone"
    write_flags(Run(tmp_path / "run"), [(1, query_key("tent"), "tent", "A", 0, 2)])
    main("audit", "run", "shown.csv", *maps[2:], "--out", "c", code=2)
    assert pq.read_table(tmp_path / "run" / "flags.parquet").num_rows == 1
    again = main("audit", "run", "shown.csv", *maps[2:], "--out", "c", "--overwrite").out
    assert "replaced the 1 earlier flag" in again
    wrong = main("audit", "run", "shown.csv", "--map", "query=term", "--map", "candidate_id=sku", "--out", "x", code=2)
    assert "no file has a column 'sku'" in wrong.err or "missing column" in wrong.err


def test_a_query_that_the_run_has_in_two_spellings_is_searched_once(tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\niPhone,A,2\niphone,A,2\niphone,B,0\n")
    run = make_run(tmp_path / "run", tmp_path / "grades.csv")
    rows = [[f"p{n}", "iphone", "A", 1, int(n < 90)] for n in range(100)]
    rows += [[f"t{n}", "tv", "C", 1, int(n < 20)] for n in range(100)]
    shown(tmp_path / "shown.csv", ["query"], rows)
    found = audit(run, EngagementFile(tmp_path / "shown.csv"), Settings())
    assert [(row.query, row.searches, row.labelled_pairs) for row in found.queries] == [
        ("iphone", 100, 3),
        ("tv", 100, 0),
    ]
    assert traffic_mix(found.queries)["labelled_share_of_searches"] == 0.5
    assert zero_click_summary(found.queries)["all"]["zero_click_rate"] == pytest.approx(0.45)
    assert found.queries[0].query_id in found.labelled.query_id
    assert found.queries[0].weight == 1


def test_trust_is_taken_from_all_clicks_of_a_pair_at_once(tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\ntent,A,0\n")
    run = make_run(tmp_path / "run", tmp_path / "grades.csv")
    # Trusted in half of all impressions: 5 and 5 clicks are expected of a dull result, and 8 and 2 are as many.
    counts = "query,candidate_id,position,impressions,clicks\ntent,A,1,10,8\nTent,A,1,10,2\n"
    (tmp_path / "counts.csv").write_text(counts)
    half = np.full(64 * 64, 0.5)
    model = ClickModel("trust bias", np.ones(64 * 64), half, half)
    db = connect(tmp_path / "spill", "1GB")
    aggregate(db, EngagementFile(tmp_path / "counts.csv"))
    match(db, run, None)
    found = gather(db, Examination(model, {}, None, (), None), 3)
    assert (found.clicks.tolist(), found.examined.tolist(), found.debiased_clicks.tolist()) == ([10], [10], [0])


def test_impressions_that_nobody_can_weigh_are_counted_aloud(tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\ntent,A,2\ntent,B,0\n")
    run = make_run(tmp_path / "run", tmp_path / "grades.csv")
    counts = "query,candidate_id,position,impressions,clicks\ntent,A,1,500,50\ntent,B,9,400,4\n"
    (tmp_path / "counts.csv").write_text(counts)
    note = audit(run, EngagementFile(tmp_path / "counts.csv"), Settings()).as_json()["examination"]["note"]
    assert note.startswith("400 of 900 impressions of graded pairs are not used: examination at position 9 cannot")


def test_results_far_down_are_weighed_too(tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\n" + "".join(f"tent,{i},1\n" for i in range(48)))
    run = make_run(tmp_path / "run", tmp_path / "grades.csv")
    rng = np.random.default_rng(0)
    rows = []
    for search in range(300):
        clicks = rng.random(48) < np.where(np.arange(48) < rng.integers(1, 49), 0.08, 0)
        rows += [
            [f"s{search}", "tent", thing, place + 1, int(clicks[place])]
            for place, thing in enumerate(rng.permutation(48))
        ]
    found = audit(run, shown(tmp_path / "shown.csv", ["query"], rows), Settings())
    assert (found.labelled.examined > 0).all()
    assert found.labelled.unused.sum() < 0.02 * found.labelled.impressions.sum()


def test_a_run_without_a_grade_is_refused(tmp_path):
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\ntent,A,\n")
    run = make_run(tmp_path / "run", tmp_path / "grades.csv")
    with pytest.raises(InputError, match="has no graded pair"):
        audit(run, shown(tmp_path / "shown.csv", ["query"], [["t", "tent", "A", 1, 1]]), Settings())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("tents", "category"),
        ("red tent", "one_attribute"),
        ("red tent for four", "several_attributes"),
        ("norvane tent", "product_name"),
        ("tent x200", "product_name"),
        ("", "unknown"),
    ],
)
def test_kinds_of_queries(text, kind):
    # The kinds are told apart by the words that the run knows, and these are its own query's.
    assert QueryKinds({"norvane"}, {"tent"}, {*text.split()}).guess(text) == kind


def test_a_word_that_ends_in_ss_is_no_plural():
    # "glass" is not the plural of the category "glas": it is one attribute more.
    assert QueryKinds(set(), {"tent", "glas"}, set()).guess("glass tents") == "one_attribute"
    # Signs on letters end no word: a blue scarf has one attribute, and not three.
    assert QueryKinds(set(), {"दुपट्टा"}, set()).guess("नीला दुपट्टा") == "one_attribute"


def test_people_who_disagree_with_the_label_are_heard(tmp_path):
    run = make_run(tmp_path / "run", SHOP / "grades_with_errors.csv", SHOP / "catalogue.csv")
    settings = Settings(ratings=LabelledPairs(SHOP / "grades.csv", {}))
    found = audit(run, EngagementFile(SHOP / "engagement.csv"), settings)
    against = [flag for flag in found.flags if flag.type == "judge_against_people"]
    assert 12 <= len(against) <= 14
    assert all(flag.suggested == found.labelled.people[flag.pair] for flag in against)


def test_pairs_with_engagement_are_told_from_those_whose_examination_is_known(main, tmp_path):
    # A ranking that never moves: whether B is at 2 for want of relevance or of eyes, nobody can tell.
    (tmp_path / "grades.csv").write_text("query,candidate_id,grade\ntent,A,2\ntent,B,0\ntent,C,0\n")
    make_run(tmp_path / "run", tmp_path / "grades.csv")
    rows = [[f"s{n}", "tent", key, at, int(n % 3 == at)] for n in range(90) for at, key in ((1, "A"), (2, "B"))]
    shown(tmp_path / "shown.csv", ["query"], rows)
    told = main("audit", "run", "shown.csv", "--out", "audit").out
    assert "3 graded pairs, 2 with engagement, 1 of them where examination is known" in told
