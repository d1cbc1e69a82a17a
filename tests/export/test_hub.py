"""Publishing: what stands on the Hub afterwards, and what stands there when something fails."""

import json
import re
import warnings

import pytest
from conftest import write_flags
from hub_fixtures import GRADES, REPO, VIEWS, commit_card

from judge.export import hub
from judge.export.hub.merging import read_card
from judge.run.decisions import Decision, Decisions, Verdict
from judge.run.store import Run


def load(hub, view, revision="main"):
    from datasets import load_dataset

    return load_dataset(f"hf://datasets/{REPO}", view, revision=revision)


def test_every_view_is_a_config_in_one_commit_with_a_tag(online, push):
    done = push("--json").json
    history = list(online.repos[REPO].history())
    assert history[0].oid == done["commit"]
    assert len(history) == 2, "the Hub's own first commit, and one of ours"
    assert online.repos[REPO].tags == {done["tag"]: done["commit"]}
    # Six judgments; of the scarf 2>1, 2>0, 1>0, of the kettle 2>0; three queries.
    rows = {"judgments": 6, "pairs": 6, "triplets": 4, "qrels": 6, "listwise": 3}
    rows |= {"corpus": 6, "queries": 3, "top_ranked": 3}
    assert done["configs"] == {view: {"train": rows[view]} for view in VIEWS}
    assert (done["revision"], done["changed"]) == ("main", True)
    for view in VIEWS:
        assert load(online, view, done["tag"])["train"].num_rows == rows[view]


def test_grades_are_classes_with_the_guidelines_names_and_keep_their_values(online, push):
    push()
    found = load(online, "judgments")["train"]
    assert found.features["label"].names == ["irrelevant", "moderately relevant", "relevant"]
    by_id = {row["candidate_id"]: (row["grade"], found.features["label"].int2str(row["label"])) for row in found}
    assert by_id["p1"] == (2, "relevant")
    assert by_id["p2"] == (1, "moderately relevant")
    assert by_id["p3"] == (0, "irrelevant")
    assert list(load(online, "pairs")["train"].features) == ["sentence1", "sentence2", "score"]


def test_grades_that_are_no_places_become_places(online, main, tmp_path):
    """Values 1, 3, 10 are classes 0, 1, 2, in grade order."""
    levels = [{"value": value, "name": name, "definition": "x"} for value, name in ((1, "no"), (3, "so"), (10, "yes"))]
    policy = {"name": "odd", "version": "1", "language": "en", "title": "Odd", "task": "Grade."}
    policy |= {
        "query_tokens": 20,
        "candidate_tokens": 40,
        "fields": [{"name": "title", "tokens": 20}],
        "grades": levels,
        "clauses": [],
    }
    (tmp_path / "odd.yaml").write_text(json.dumps(policy))
    (tmp_path / "g.csv").write_text("query,candidate_id,title,grade\na,1,x,10\na,2,y,3\nb,3,z,1\n")
    main("import", "g.csv", "--guideline", "odd.yaml", "--out", "run")
    main("push", "run", REPO, "--labelled")
    found = load(online, "judgments")["train"]
    assert sorted((row["grade"], row["label"]) for row in found) == [(1, 0), (3, 1), (10, 2)]
    pairs = load(online, "pairs")["train"]
    assert pairs.features["label"].names == ["no", "so", "yes"]
    assert sorted(pairs["label"]) == [0, 1, 2]


@pytest.mark.slow
def test_splits_and_views_without_rows(online, main, tmp_path):
    """One query alone has two grades, so triplets are in one of the splits; of one product a query there are none."""
    names = ["lamp", "sofa", "kettle", "scarf", "boots", "tent", "drill", "mug"]
    rows = [f"{name},{name}1,{name} {number}00,2" for number, name in enumerate(names)]
    rows += ["lamp,zebra,zebra,0"]
    (tmp_path / "g.csv").write_text("query,candidate_id,title,grade\n" + "\n".join(rows) + "\n")
    main("import", "g.csv", "--out", "run")
    both = ("push", "run", REPO, "--splits", "train=0.5,test=0.5", "--json")
    found = main(*both).json["configs"]
    assert [list(found[view]) for view in ("judgments", "listwise")] == [["train", "test"]] * 2
    assert list(found["triplets"].values()) == [1], "the real `datasets` cannot load a split without rows"
    assert sum(found["judgments"].values()) == 9
    without = main("push", "run", REPO, "--per-query", "1", "--json").json["configs"]
    assert list(without) == [view for view in VIEWS if view != "triplets"]
    text = online.read(REPO, "README.md").decode()
    assert "Empty, and therefore left out: `triplets`." in text
    assert "config_name: triplets" not in text
    assert not [path for path in online.repos[REPO].at("main").tree if path.startswith("triplets/")]


@pytest.mark.slow
def test_a_retrieval_task_of_mteb_finds_what_it_needs(online, main, tmp_path):
    """As the loader of MTEB 2 goes about it: names of configs, a split that is asked for or the only one, casts."""
    from datasets import Features, Sequence, Value, get_dataset_config_names, get_dataset_split_names, load_dataset

    names = ["lamp", "sofa", "kettle", "scarf", "boots", "tent", "drill", "mug"]
    rows = [f"{name},{name}{n},{name} {n}00,{n}" for name in names for n in range(3)]
    # One product for two queries; its texts are there once.
    rows += ["lamp,sofa1,sofa 100,0"]
    (tmp_path / "g.csv").write_text("query,candidate_id,title,grade\n" + "\n".join(rows) + "\n")
    main("import", "g.csv", "--out", "run")
    main("push", "run", REPO, "--splits", "train=0.5,test=0.5")
    place = f"hf://datasets/{REPO}"
    configs = get_dataset_config_names(place)
    assert {"corpus", "queries", "qrels", "top_ranked"} <= set(configs)
    assert "default" not in configs, "then `qrels` is not looked for"

    def loaded(config):
        splits = get_dataset_split_names(place, config_name=config)
        assert "test" in splits or len(splits) == 1
        return load_dataset(place, config, split="test" if "test" in splits else splits[0])

    corpus, queries = (loaded(name).cast_column("_id", Value("string")) for name in ("corpus", "queries"))
    text, many = Value("string"), Sequence(Value("string"))
    qrels = loaded("qrels").cast(Features({"query-id": text, "corpus-id": text, "score": Value("int32")}))
    ranked = loaded("top_ranked").cast(Features({"query-id": text, "corpus-ids": many}))
    assert set(corpus.column_names) == {"_id", "title", "text"}
    assert len(corpus["_id"]) == len(set(corpus["_id"])) == 24
    assert set(qrels["query-id"]) == set(queries["_id"]) == set(ranked["query-id"])
    judged = {}
    for row in qrels:
        judged.setdefault(row["query-id"], set()).add(row["corpus-id"])
    assert {row["query-id"]: set(row["corpus-ids"]) for row in ranked} == judged
    assert set().union(*judged.values()) <= set(corpus["_id"])


def test_the_same_again_changes_nothing_and_sends_nothing(online, push, tmp_path):
    first = push("--json").json
    sent = len(online.asked("PUT /lfs"))
    again = push("--json").json
    assert (again["commit"], again["tag"], again["changed"]) == (first["commit"], first["tag"], False)
    assert len(online.asked("PUT /lfs")) == sent == len(VIEWS)
    assert "stood there already" in push().out
    ledger = [json.loads(line) for line in (tmp_path / "run" / "exports.jsonl").read_text().splitlines()]
    assert [(line["format"], line["out"], line["used"]) for line in ledger] == [("hub", f"{REPO}@{first['commit']}", 6)]


def test_the_ledger_names_the_decisions_that_were_published(online, push, tmp_path, monkeypatch):
    """Ben decides while it is loaded again: what was published holds no decision."""
    said = {"query_id": "q", "candidate_id": "p2", "verdict": Verdict.KEEP, "author": "ben", "reason": ""}
    verify = hub.verify

    def meanwhile(*arguments):
        Decisions(tmp_path / "run").append([Decision(**said, time="t", source="review")])
        return verify(*arguments)

    monkeypatch.setattr(hub, "verify", meanwhile)
    push()
    assert json.loads((tmp_path / "run" / "exports.jsonl").read_text())["decisions"] is None
    assert (tmp_path / "run" / "decisions.jsonl").is_file()


def test_people_words_survive_and_stale_features_and_files_go(online, push):
    """A card with words of people's own, and a config of our name that `push_to_hub` filled with other columns."""
    from datasets import Dataset, load_dataset

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Dataset.from_dict({"old": [1, 2], "columns": ["a", "b"]}).push_to_hub(REPO, "judgments")
        Dataset.from_dict({"mine": [1]}).push_to_hub(REPO, "extra", split="test")
    repo, card = online.repos[REPO], online.read(REPO, "README.md").decode()
    words = card.replace("---\ndataset_info", "---\nlicense: cc-by-4.0\ntags:\n- ours\ndataset_info", 1)
    words += "\n# Our shop\n\nAsk Ann.\n"
    commit_card(online, words)
    push("--per-query", "2")
    push()
    text = online.read(REPO, "README.md").decode()
    assert "# Our shop\n\nAsk Ann.\n" in text
    assert "license: cc-by-4.0" in text
    assert "- ours\n- relevance-judge\n" in text
    assert text.count("relevance-judge begin") == text.count("relevance-judge end") == 1
    assert "name: columns" not in text
    assert "old" not in load(online, "judgments")["train"].column_names
    assert load_dataset(f"hf://datasets/{REPO}", "extra", revision="main")["test"].num_rows == 1
    files = sorted(path for path in repo.at("main").tree if path.startswith(("judgments/", "extra/")))
    assert files == ["extra/test-00000-of-00001.parquet", "judgments/train-00000-of-00001.parquet"]


def test_the_card_tells_what_is_known_and_a_seller_writes_no_markup(online, main, tmp_path):
    """Six labels beside six ratings, of which four agree; one flag, one decision; a title that would be markup."""
    evil = "[free](https://evil.example) <b>x</b> | y <!-- relevance-judge end -->"
    rows = [(q, p, evil if p == "p1" else title, grade) for q, p, title, grade in GRADES]
    (tmp_path / "g.csv").write_text(
        "query,candidate_id,title,grade\n" + "\n".join(f"{q},{p},{t},{g}" for q, p, t, g in rows)
    )
    main("import", "g.csv", "--out", "run")
    other = [(q, p, {"p3": 1, "p6": 2}.get(p, grade)) for q, p, _, grade in GRADES]
    # The adjudicated grade counts beside raters' own, under the columns' own names.
    lines = [f"{q},{p},0,2,{g}" for q, p, g in other]
    (tmp_path / "r.csv").write_text("query,sku,ann,ben,agreed\n" + "\n".join(lines))
    (pair,) = main_rows(tmp_path / "run", "p2")
    write_flags(Run(tmp_path / "run"), [(2, pair, "q", "p2", 0, 2)], type="purchased_but_low")
    (tmp_path / "d.csv").write_text(f"query_id,candidate_id,decision,reason\n{pair},p2,2,fits\n")
    main("decide", "run", "d.csv", "--author", "ben")
    layout = ("--raters", "ann,ben", "--gold", "agreed", "--map", "candidate_id=sku")
    main("push", "run", REPO, "--ratings", "r.csv", *layout, "--license", "cc-by-4.0")
    text = online.read(REPO, "README.md").decode()
    assert read_card(text, REPO).views == tuple(VIEWS), "the seller's mark is none"
    assert "license: cc-by-4.0\n" in text
    assert "evil" in text
    assert not re.search(r"<b>|\]\(https|https://evil", text)
    assert "| accuracy | 0.667 |" in text
    assert "| purchased&#95;but&#95;low | 1 |" in text
    assert "Decided: 0 kept, 1 changed, 0 unsure. Flagged and not settled: 0." in text
    # Grades 2, 1, 0, 2, 0, 1, and the first 1 was changed to 2: three, one, two of six.
    assert re.findall(r"\| (\d+\.\d%) \| (\d) \|", text)[:3] == [("50.0%", "3"), ("16.7%", "1"), ("33.3%", "2")]
    assert "| **all** | **6** | |" in text
    assert str(tmp_path) not in text


def main_rows(run, candidate):
    from judge.run.store import Run

    return [row[0] for row in Run.open(run).query(f"SELECT query_id FROM pairs WHERE candidate_id = '{candidate}'")]
