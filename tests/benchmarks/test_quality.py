"""The quality benchmark: queries stay apart, its files are ratings, and the lexical baseline knows words."""

import json
import sys

import pytest
from conftest import ROOT, shared_data

sys.path.insert(0, str(ROOT / "benchmarks"))

import lexical
import quality
from rated_sets import RATERS, Item, folds, read, write_ratings

from judge.pairs.stage import Source
from judge.ratings.rated import RatingsFile, read_rated


@pytest.fixture(scope="module")
def items():
    kinds = ("lamp", "chair", "kettle", "scarf", "sofa", "towel")
    return [
        Item(f"{colour} {kind}", f"{colour}{kind}{other}", {"title": f"A {colour} {other}"}, 2 * (kind == other), {})
        for colour in ("red", "blue", "green", "black")
        for kind in kinds
        for other in kinds
    ]


def test_every_query_is_tested_once_and_never_on_what_it_taught(items):
    tested = []
    for train, test in folds(items, 5, 0):
        assert not {i.query for i in train} & {i.query for i in test}
        assert len(train) + len(test) == len(items)
        tested += test
    assert sorted(i.candidate_id + i.query for i in tested) == sorted(i.candidate_id + i.query for i in items)
    one = list(folds(items, 1, 0))
    assert len(one) == 1
    assert len({i.query for i in one[0][1]}) == 5  # a fifth of 24 queries, rounded up


def test_the_lexical_baseline_learns_what_words_tell(items):
    train, test = next(folds(items, 5, 0))
    grades = lexical.predict(train, test)
    assert sum(g == i.grade for g, i in zip(grades, test, strict=True)) > 0.9 * len(test)


def test_the_benchmarks_ratings_are_read_by_finetune(items, guideline, tmp_path):
    rated = [Item(i.query, i.candidate_id, i.texts, 2, {RATERS[0]: 2, RATERS[2]: 1}) for i in items[:3]] + items[3:9]
    write_ratings(rated, tmp_path / "r.jsonl")
    found = read_rated(
        RatingsFile(Source(tmp_path / "r.jsonl", grades={"0": 0, "1": 1, "2": 2}), RATERS[::2]), guideline, tmp_path
    ).rated
    assert len(found) == 9
    assert sum(len(item.votes) for item in found) == 3 * 2 + 6


def test_products_that_training_had_under_other_queries_are_told_apart(tmp_path, monkeypatch, capsys):
    """Each of 10 queries has a product of its own, graded 2, and a common one, graded 0: which every part has."""
    rated = [Item(f"q{n}", key, {}, grade, {}) for n in range(10) for key, grade in ((f"own{n}", 2), ("common", 0))]
    monkeypatch.setattr(quality, "read", lambda data, name: rated)
    monkeypatch.setitem(quality.JUDGES, "tuned", lambda options, fold: [2] * len(fold.test))
    given = ["quality.py", "--data", "nowhere", "--work", str(tmp_path), "--sets", "esci", "--judges", "tuned"]
    for more, pairs in (([], 4), (["--folds", "5"], 20)):
        monkeypatch.setattr(sys, "argv", [*given, *more])
        quality.main()
        out = capsys.readouterr().out
        assert f"| tuned | {pairs} | 0.500 " in out
        assert f"| tuned, unseen products | {pairs // 2} | 1.000 " in out
    # From the grades that were kept, without teaching again.
    monkeypatch.setitem(quality.JUDGES, "tuned", None)
    quality.main()
    assert capsys.readouterr().out == out


def test_grades_of_other_choices_are_not_shown_as_these(items, tmp_path, monkeypatch, capsys):
    given = ["quality.py", "--data", "nowhere", "--work", str(tmp_path / "work"), "--limit", "24", "--sets", "esci"]
    monkeypatch.setattr(quality, "read", lambda data, name: items)

    def run(*more):
        monkeypatch.setattr(sys, "argv", [*given, "--judges", "majority", *more])
        quality.main()
        return capsys.readouterr().out

    assert "| majority | 24 |" in run()
    run("--folds", "5")
    # With a limit every test part is as long: another seed's grades would have been taken for this one's.
    with pytest.raises(SystemExit, match="another seed"):
        run("--seed", "1")
    with pytest.raises(SystemExit, match="another base"):
        run("--base", "owner/name")
    config = tmp_path / "c.yaml"
    config.write_text("rank: 4")
    with pytest.raises(SystemExit, match="another config"):
        run("--config", str(config))
    assert "| majority | 24 |" in run()
    # What both sets share was taught by one seed's split, whichever set asked for it.
    run("--both")
    with pytest.raises(SystemExit, match=r"both-1-0-limit24: holds grades of another seed"):
        run("--both", "--sets", "chorus", "--seed", "1")


@pytest.mark.parametrize("wrong", [("--judges", "lexical,tunned"), ("--sets", "esci,choros")])
def test_a_judge_that_does_not_exist_is_refused_before_any_grades(wrong, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["quality.py", "--data", "nowhere", "--work", str(tmp_path / "work"), *wrong])
    with pytest.raises(SystemExit):
        quality.main()
    assert f"there is no {wrong[1].split(',')[1]!r}" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "pairs", "queries"), [("esci", 4481, 101), ("chorus", 2226, 93)])
def test_the_sets_are_read_as_they_lie(name, pairs, queries):
    found = read(shared_data(name).parent, name)
    assert (len(found), len({i.query for i in found})) == (pairs, queries)
    assert {i.grade for i in found} == {0, 1, 2}
    assert all(i.texts.get("title") for i in found)
    assert json.dumps(found[0].row())


def test_a_cross_encoder_is_taught_once_and_answers_alone_as_in_a_batch(items, tiny_base, tmp_path, monkeypatch):
    import cross_encoder
    import torch

    monkeypatch.setattr(cross_encoder, "RATE", 5e-3)
    monkeypatch.setattr(cross_encoder, "EPOCHS", 6)
    cross_encoder.train(items, str(tiny_base), tmp_path / "taught", seed=1)
    grades = cross_encoder.predict(items, tmp_path / "taught", str(tiny_base))
    # Five sixths are 0: better than always saying so.
    assert sum(g == i.grade for g, i in zip(grades, items, strict=True)) > len(items) * 5 / 6
    model = cross_encoder._load(tmp_path / "taught", "cpu").eval()
    rows = [[5, 6, 7, 8, 9, 10, 11], [12, 13], [14]]
    with torch.inference_mode():
        together = cross_encoder._logits(model, rows)
        alone = torch.cat([cross_encoder._logits(model, [row]) for row in rows])
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.slow
def test_an_ensemble_over_ways_that_ask_the_same_gives_the_judges_own_grades(tmp_path, main, opened_once):
    import ensemble

    from judge.models.shipped import SHIPPED, shipped_directory

    titles = ("Wool Scarf, Red", "Steel Kettle 1.5 l", "Desk Lamp")
    some = [Item(q, str(at), {"title": t}, 0, {}) for q in ("red scarf", "kettle") for at, t in enumerate(titles)]
    rows = [json.dumps({"query": i.query, "candidate_id": i.candidate_id, **i.texts}) for i in some]
    (tmp_path / "pairs.jsonl").write_text("\n".join(rows))
    main("label", tmp_path / "pairs.jsonl", "--out", "run", "--calibration", "plain")
    main("export", "run", "--to", "jsonl", "--out", "labels.jsonl")
    labels = map(json.loads, (tmp_path / "labels.jsonl").read_text().splitlines())
    graded = {(row["query"], row["candidate_id"]): row["grade"] for row in labels}
    found = ensemble.predict(some, shipped_directory(SHIPPED))
    # With one field alone, order and last field make no difference.
    assert found == [graded[i.query, i.candidate_id] for i in some]
    assert len(set(found)) > 1
