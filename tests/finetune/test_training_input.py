"""What a fine-tuning reads: layouts of ratings, its configuration, and input that is refused early."""

import json

import pytest
from judgment_files import GRADES, as_rated, put

from finetune.config import load_config
from judge.errors import InputError
from judge.pairs.stage import Source
from judge.ratings.rated import RatingsFile, read_rated
from judge.settings import as_yaml


def test_columns_of_raters_and_rows_of_raters_are_the_same_ratings(tmp_path, guideline):
    wide = put(
        tmp_path / "wide.csv", "query,candidate_id,title,ann,ben\nlamp,1,Lamp,2,1\nlamp,2,Chair,0,\nsofa,1,Lamp,,0\n"
    )
    long = put(
        tmp_path / "long.csv",
        "query,candidate_id,title,rater,grade\nlamp,1,Lamp,ann,2\nlamp,1,Lamp,ben,1\nlamp,2,Chair,ann,0\n"
        "sofa,1,Lamp,ben,0\n",
    )
    expected = [("lamp", "1", {"ann": 2, "ben": 1}), ("lamp", "2", {"ann": 0}), ("sofa", "1", {"ben": 0})]
    for rated in (
        as_rated(wide, guideline, tmp_path, raters=["ann", "ben"]),
        as_rated(long, guideline, tmp_path),
    ):
        assert sorted((r.pair.query, r.pair.candidate_id, dict(r.votes)) for r in rated) == expected
    assert [dict(r.votes) for r in as_rated(long, guideline, tmp_path, raters=["ben"])] == [{"ben": 1}, {"ben": 0}]
    named = put(tmp_path / "named.csv", long.read_text().replace("rater", "who"))
    found = as_rated(named, guideline, tmp_path, mapping={"rater": ["who"]})
    assert dict(found[0].votes) == {"ann": 2, "ben": 1}


def test_two_grades_of_a_pair_without_raters_contradict_each_other(tmp_path, guideline):
    path = put(tmp_path / "r.csv", "query,candidate_id,title,grade\nlamp,1,Lamp,2\nlamp,1,Lamp,1\n")
    with pytest.raises(InputError, match="had another grade in row 1"):
        as_rated(path, guideline, tmp_path)


LONG = "query,candidate_id,title,rater,grade\n"


@pytest.mark.parametrize(
    ("text", "raters", "message", "left_out"),
    [
        (LONG + "lamp,1,Lamp,ann,2\nlamp,1,Lamp,ann,0\n", (), "row 2 .*'ann' gave this pair", "conflicting_grade"),
        (LONG + "lamp,1,Lamp,ann,2\nlamp,2,Bulb,,0\n", (), "row 2 .*'rater': is empty", "missing_rater"),
        (
            LONG.encode() + b"lamp,1,Lamp,ann,2\nlamp,2,Bulb,Andr\xe9,0\n",
            (),
            "row 2 .*'rater': is not UTF-8",
            "wrong_encoding",
        ),
        (LONG + "lamp,1,Lamp,ann,2\nlamp,2,Bulb,ben,0\n", ("ann", "bem"), "holds no grade of 'bem'", None),
        ("query,candidate_id,title,ann,ben\nlamp,1,Lamp,2,\n", ("ann", "ben"), "holds no grade of 'ben'", None),
    ],
)
def test_a_rater_who_says_two_things_or_nobody_is_refused_or_left_out(
    text, raters, message, left_out, tmp_path, guideline
):
    path = tmp_path / "r.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message):
        as_rated(path, guideline, tmp_path, raters=raters)
    given = RatingsFile(Source(path, grades=GRADES, skip_bad_rows=True), raters)
    if left_out is None:
        with pytest.raises(InputError, match=message):
            read_rated(given, guideline, tmp_path)
        return
    found = read_rated(given, guideline, tmp_path)
    assert [dict(r.votes) for r in found.rated] == [{"ann": 2}]
    assert found.left_out == {left_out: 1}


def test_raters_that_are_no_names_are_not_one_rater(tmp_path, guideline):
    row = {"query": "lamp", "title": "Lamp", "grade": 1, "rater": {"id": 7}}
    path = put(tmp_path / "r.jsonl", "".join(json.dumps({**row, "candidate_id": n}) + "\n" for n in range(3)))
    with pytest.raises(InputError, match=r"row 1 .*'rater': is an object"):
        as_rated(path, guideline, tmp_path)


def test_a_candidate_that_the_catalogue_lacks_is_counted_once(tmp_path, guideline):
    path = put(tmp_path / "r.csv", "query,candidate_id,grade\nlamp,1,2\nlamp,9,1\n")
    catalogue = put(tmp_path / "c.csv", "candidate_id,title\n1,Lamp\n")
    source = Source(path, catalogue, grades=GRADES, skip_bad_rows=True)
    assert read_rated(RatingsFile(source), guideline, tmp_path).left_out == {"not_in_catalogue": 1}


def test_cells_and_rows_left_out_are_counted_once_by_what_is_wrong_with_them(tmp_path, guideline):
    path = put(
        tmp_path / "r.csv",
        "query,candidate_id,title,ann,ben\nlamp,1,Lamp,2,1\nlamp,2,Chair,?,?\nsofa,3,,0,1\n,4,Bed,1,1\nsofa,5,Bed,,\n",
    )
    source = Source(path, grades=GRADES, skip_bad_rows=True)
    found = read_rated(RatingsFile(source, ["ann", "ben"]), guideline, tmp_path)
    assert [dict(r.votes) for r in found.rated] == [{"ann": 2, "ben": 1}]
    assert found.left_out == {"unknown_grade": 2, "no_text": 1, "empty_query": 1}


def test_every_key_is_commented_and_the_resolved_copy_reads_back(tmp_path):
    from importlib.resources import files

    lines = files("finetune").joinpath("lora.yaml").read_text().splitlines()
    keys = [i for i, line in enumerate(lines) if line and line[0].islower()]
    assert len(keys) == len(type(load_config()).model_fields)
    for at in keys:
        above = next(line for line in reversed(lines[:at]) if not line or line.startswith("#"))
        assert above.startswith("#"), f"{lines[at]} has no comment"
    config = load_config().changed(fields={"title": 40}, seed=7)
    assert load_config(put(tmp_path / "c.yaml", as_yaml(config))) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat: 0.1", "learning_rat: there is no such key"),
        ("rank: 0", "rank cannot be 0, wanted is at least 1"),
        ("rank: [", "cannot be read"),
        ("- 1", "holds no keys"),
        ("x: !!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_with_its_key(text, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load_config(put(tmp_path / "c.yaml", text))


def test_fields_and_budgets_are_narrowed_and_the_words_stay(guideline):
    config = load_config().changed(fields={"brand": 5, "title": 30})
    found = config.narrowed(guideline)
    assert [(f.name, f.tokens) for f in found.fields] == [("brand", 5), ("title", 30)]
    assert (found.query_tokens, found.candidate_tokens, found.clauses) == (24, 64, guideline.clauses)
    same = load_config().changed(query_tokens=0, candidate_tokens=0).narrowed(guideline)
    assert same.digest == guideline.digest
    with pytest.raises(InputError, match="has no field 'flavour'"):
        load_config().changed(fields={"flavour": 3}).narrowed(guideline)


HEAD = "query,candidate_id,title,grade\n"


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        (HEAD + "lamp,1,Lamp,2\nlamp,2,Sofa,1\nlamp,3,Cup,0\n", (), "of 1 query: too few"),
        (
            HEAD + "".join(f"q{i},{i},Lamp,{2 * (i % 2)}\n" for i in range(20)),
            (),
            "grade 1 (moderately relevant) has 0",
        ),
        (HEAD + "lamp,1,Lamp,7\n", (), "unknown grade '7'"),
        (HEAD + "lamp,1,Lamp,E\n", ("--grades", "E=5"), "has no grade 5"),
        (HEAD + "lamp,1,Lamp,2\nlamp,2,,1\n", (), "r.csv, row 2: the candidate has no text"),
        (HEAD + "lamp,1,Lamp,\n", (), "holds no grade"),
        (HEAD + "lamp,1,Lamp,2\n", ("--raters", "ann"), "missing column 'ann'"),
        (HEAD + "lamp,1,Lamp,2\n", ("--template", "judge.v9"), "no template"),
        (HEAD + "".join(f"q{i},{i},Lamp,{i % 3}\n" for i in range(40)), ("--base", "no-such"), "no judge 'no-such'"),
        # A base of the Hub would be fetched: not for these.
        (HEAD + "lamp,1,Lamp,2\n", ("--base", "no-such"), "of 1 query: too few"),
    ],
)
def test_bad_input_is_refused_before_a_model_is_loaded(text, more, message, main, tmp_path):
    put(tmp_path / "r.csv", text)
    refused = main("finetune", "r.csv", "--out", "ours", *more, code=2)
    assert message in refused.err
    assert "fix:" in refused.err
    assert not (tmp_path / "ours").exists()


def test_a_directory_with_something_else_is_left_alone(main, tmp_path, rated_file, tiny_base, quick):
    (tmp_path / "ours").mkdir()
    put(tmp_path / "ours" / "letter.txt", "dear")
    refused = main("finetune", rated_file, "--base", tiny_base, "--out", "ours", "--config", quick(), code=2)
    assert "already holds something else" in refused.err
    put(tmp_path / "ours" / "training.json", "{")
    refused = main("finetune", rated_file, "--base", tiny_base, "--out", "ours", "--config", quick(), code=2)
    assert "training.json: is damaged" in refused.err


@pytest.mark.parametrize("taken", ["file", "full", "ours"])
def test_a_place_for_the_merged_model_that_is_taken_is_refused_before_anything_is_taught(taken, main, tmp_path):
    put(tmp_path / "file", "dear")
    (tmp_path / "full").mkdir()
    put(tmp_path / "full" / "letter.txt", "dear")
    put(tmp_path / "r.csv", HEAD + "lamp,1,Lamp,2\n")
    refused = main("finetune", "r.csv", "--out", "ours", "--merge", taken, code=2)
    assert f"{taken}: already holds something else" in refused.err


def test_a_base_without_the_layers_or_with_split_labels_is_refused(
    main, rated_file, tiny_base, quick, guideline, tmp_path
):
    given = ["finetune", rated_file, "--base", tiny_base, "--out", "ours"]
    refused = main(*given, "--config", quick(modules=["c_attn"]), code=2)
    assert "has no layers named c_attn" in refused.err
    grades = [{**g.model_dump(), "label": label} for g, label in zip(guideline.grades, ("n", "10", "y"), strict=True)]
    other = {**guideline.model_dump(mode="json"), "grades": grades}
    put(tmp_path / "other.yaml", json.dumps(other))
    refused = main(*given, "--guideline", "other.yaml", "--config", quick(), code=2)
    assert "label '10' is 2 tokens" in refused.err
