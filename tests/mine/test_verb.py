"""The verb and the function: what is written, what is told, and what is refused."""

import json
import shlex

import pytest
from mining_fixtures import FIELDS, QUERIES, SHOP, rows_of, write_csv

import relevance_judge as rj
from judge.tables.rows import Table


def test_mine_label_and_worth_on_the_command_line(main, seen, shop, tmp_path):
    options = ("--catalogue", shop, "--encoder", "fake", "--out", "mined.parquet")
    account = main("mine", "seen", *options, "--json").json
    assert sum(account["proposals"].values()) == account["kept"] + sum(account["left_out"].values())
    assert main("mine", "seen", *options, "--json").json == account
    said = main("mine", "seen", *options).out
    assert f"{account['kept']:,}" in said
    main("label", "mined.parquet", "--catalogue", shop, "--engine", "fake", "--out", "mined")
    graded = [(row["query_id"], row["query"], row["candidate_id"], 1) for row in rows_of(tmp_path / "mined.parquet")]
    write_csv(tmp_path / "people.csv", ("query_id", "query", "candidate_id", "grade"), graded)
    found = main("mine", "mined", "--worth", "people.csv", "--json").json
    # Whatever the judge calls 0, people call 1: every zero is wrong.
    zeros = found["groups"][0]
    assert (zeros["by"], zeros["share"], zeros["wrong"]) == ("all", 1.0, zeros["rated"])
    assert found["advice"]["all all"] == "no"
    assert "WARNING" in main("mine", "mined", "--worth", "people.csv").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--catalogue"),
        (("--out", "m.parquet"), "--catalogue"),
        (("--worth", "people.csv", "--out", "m.parquet"), "--worth"),
        (("--catalogue", "catalogue.csv", "--out", "m.parquet", "--encoder", "nothing"), "nothing"),
        (("--catalogue", "none.csv", "--out", "m.parquet"), "none.csv"),
        (("--catalogue", "catalogue.csv", "--out", "m.parquet", "--run", "a.run"), "--run"),
    ],
)
def test_what_cannot_be_is_one_error(main, seen, shop, tmp_path, arguments, said):
    assert said in main("mine", "seen", *arguments, code=2).err
    assert not (tmp_path / "m.parquet").exists()


def test_a_guideline_without_categories_is_not_told_to_map_one(main, tmp_path):
    """No option maps a field that the guideline does not have."""
    (tmp_path / "jobs.yaml").write_text(
        "{name: jobs, version: 1, language: de, title: Jobs, task: Grade., query_tokens: 20, candidate_tokens: 60,"
        " fields: [{name: position, tokens: 30}, {name: ort, tokens: 30}],"
        " grades: [{value: 0, name: nein, definition: n}, {value: 1, name: ja, definition: j}]}"
    )
    rows = [(f"J{at}", f"Bäcker Nummer {at}", "Köln") for at in range(6)]
    catalogue = write_csv(tmp_path / "jobs.csv", ("candidate_id", "position", "ort"), rows)
    write_csv(tmp_path / "pairs.csv", ("query", "candidate_id"), [("Bäcker Köln", "J1"), ("Bäcker", "J2")])
    given = ("--catalogue", catalogue, "--guideline", "jobs.yaml")
    main("label", "pairs.csv", *given, "--engine", "fake", "--out", "jobs")
    said = main("mine", "jobs", "--catalogue", catalogue, "--from", "lexical,attributes", "--out", "m.parquet").out
    assert "the guideline 'jobs' has no field 'category'" in said
    assert "--map" not in said
    refused = main("queries", *given, "--out", "q.csv", code=2).err
    assert "the guideline 'jobs' has no field 'category'" in refused
    write_csv(tmp_path / "empty.csv", ("candidate_id", "name"), [("J1", "Bäcker")])
    refused = main("queries", "--catalogue", "empty.csv", *given[2:], "--out", "q.csv", code=2).err
    assert "--map position=COLUMN" in refused


def test_a_late_interaction_model_is_no_encoder_and_its_rankings_are_taken(main, seen, shop, tmp_path):
    parts = [{"type": f"sentence_transformers.{name}", "path": ""} for name in ("Transformer", "MultiVectorMask")]
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "modules.json").write_text(json.dumps(parts))
    mining = ("mine", "seen", "--catalogue", shop, "--out", "m.parquet")
    said = main(*mining, "--encoder", "late", code=2).err
    assert "late-interaction" in said
    assert "--run" in said
    for system in ("bm25", "fake"):  # any two, as `judge search` ranks by them
        write_csv(tmp_path / "q.csv", ("query_id", "query"), QUERIES)
        main("search", system, "--catalogue", shop, "--queries", "q.csv", "--out", f"{system}.run")
    account = main(*mining, "--run", "bm25.run", "--run", "fake.run", "--json").json
    assert account["kept_by_source"] == {"rankings": account["kept"]}
    assert account["kept"] > 0


def test_a_mining_that_finds_nothing_says_why_and_names_no_next_step(main, seen, tmp_path):
    write_csv(tmp_path / "titles.csv", ("candidate_id", "title"), [row[:2] for row in SHOP])
    said = main("mine", "seen", "--catalogue", "titles.csv", "--from", "attributes", "--out", "m.parquet").out
    assert "category" in said
    assert "judge label" not in said
    assert rows_of(tmp_path / "m.parquet") == []


def test_problems_of_queries_name_no_verb_that_cannot_read_them(main, seen, shop, tmp_path):
    write_csv(tmp_path / "q.csv", ("query_id", "query"), [("1", "a scarf"), ("1", "b scarf"), ("2", "")])
    for verb in (("mine", "seen", "--out", "m.parquet"), ("search", "bm25", "--out", "x.run")):
        said = main(*verb, "--catalogue", shop, "--queries", "q.csv", code=2).err
        assert "1 more problem" in said
        assert "judge validate" not in said


def test_tables_in_memory_are_mined_and_queries_made(seen, tmp_path, shop, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    names = ("candidate_id", "title", "category", "colour", "material")
    products = [dict(zip(names, row, strict=True)) for row in SHOP]
    mined = rj.mine(seen, products, out=tmp_path / "m.parquet", encoder="fake", per_query=5)
    assert mined.account.kept == len(mined.to_pandas()) == len(mined.table)
    assert mined.sample.is_file()
    assert "violates_one" in mined._repr_html_()
    again = rj.mine([seen], products, out=tmp_path / "m.parquet", encoder="fake", per_query=5)
    assert again.account == mined.account
    account = rj.queries(products, out=tmp_path / "q.csv", like=[{"query": "red scarf"}], per_category=2, share=0.9)
    assert account.made == account.written + sum(account.refused.values())


def test_files_next_to_out_are_not_written_over(main, seen, shop, tmp_path):
    mining = ("mine", "seen", "--catalogue", shop, "--encoder", "fake", "--from", "lexical", "--out")
    queries = ("queries", "--catalogue", shop, "--per-category", 2, "--out")
    own = tmp_path / "own.json"
    own.write_text('{"shop": 1}')
    for verb in ((*mining, "own.parquet"), (*queries, "own.csv")):
        assert "own.json" in main(*verb, "--overwrite", code=2).err
    assert own.read_text() == '{"shop": 1}'
    manifest = (seen.path / "run.json").read_bytes()
    assert "run" in main(*mining, "seen/run.parquet", code=2).err
    assert (seen.path / "run.json").read_bytes() == manifest
    (tmp_path / "shop.json").write_text(json.dumps([dict(zip(FIELDS, row, strict=True)) for row in SHOP]))
    assert "shop.json" in main("queries", "--catalogue", "shop.json", "--out", "shop.csv", code=2).err
    assert len(json.loads((tmp_path / "shop.json").read_text())) == len(SHOP)


def test_a_sample_that_people_graded_stays(main, seen, shop, tmp_path):
    mining = ("mine", "seen", "--catalogue", shop, "--encoder", "fake", "--from", "lexical", "--out", "m.parquet")
    main(*mining)
    main(*mining, "--overwrite")  # nobody graded it yet
    sample = tmp_path / "m.sample.csv"
    graded = sample.read_bytes().replace(b",\r\n", b",2\r\n")
    assert graded != sample.read_bytes()
    sample.write_bytes(graded)
    assert "m.sample.csv" in main(*mining, "--overwrite", code=2).err
    (tmp_path / "m.parquet").unlink()
    assert "m.sample.csv" in main(*mining, code=2).err
    assert sample.read_bytes() == graded


def test_without_a_sample_there_is_none_and_none_is_named(main, seen, shop, tmp_path):
    mining = ("mine", "seen", "--catalogue", shop, "--encoder", "fake", "--from", "lexical", "--out", "m.parquet")
    sample = tmp_path / "m.sample.csv"
    assert str(sample.name) in main(*mining).out
    assert sample.exists()
    # The one of the earlier mining goes with it.
    assert sample.name not in main(*mining, "--sample", "0", "--overwrite").out
    assert not sample.exists()
    assert (tmp_path / "m.parquet").exists()
    # A mining that was killed before it was whole is made again all the same.
    (tmp_path / "m.parquet").unlink()
    main(*mining, "--sample", "0")
    assert not sample.exists()


def test_options_say_what_is_read(main, seen, tmp_path):
    shop = tmp_path / "latin.csv"
    shop.write_bytes(
        "candidate_id,title,category\nE1,Écharpe rouge,Écharpes\nE2,Écharpe bleue,Écharpes\n".encode("cp1252")
    )
    mining = ("mine", "seen", "--catalogue", shop, "--from", "lexical", "--out", "m.parquet")
    assert "--encoding" in main(*mining, code=2).err
    assert "--worth" in main(*mining, "--encoding", "cp1252", "--grades", "E=2", code=2).err
    assert main(*mining, "--encoding", "cp1252", "--json").json["catalogue"]["products"] == 2
    queries = ("queries", "--catalogue", shop, "--out", "q.csv")
    main(*queries, "--encoding", "cp1252", "--queries", shop, code=2)
    assert "'colours'" in main(*queries, "--encoding", "cp1252", "--map", "colours=c", code=2).err
    assert main(*queries, "--encoding", "cp1252", "--json").json["categories"] == 1
    assert "charpes" in (tmp_path / "q.csv").read_text(encoding="utf-8")


def test_rankings_are_mined_alone_unless_sources_are_named(seen, shop, tmp_path):
    for name, ids in (("a", ("E2", "E3")), ("b", ("E3", "E7"))):
        lines = [f"q1 Q0 {key} {rank} {9 - rank} {name}\n" for rank, key in enumerate(ids, 1)]
        (tmp_path / name).write_text("".join(lines))
    rankings = [tmp_path / "a", tmp_path / "b"]
    alone = rj.mine(seen, shop, out=tmp_path / "m.parquet", rankings=rankings)
    assert set(alone.account.proposals) == {"rankings"}
    both = rj.mine(seen, shop, out=tmp_path / "b.parquet", rankings=rankings, sources=["lexical"])
    assert set(both.account.proposals) == {"lexical", "rankings"}


def test_cells_of_a_sample_and_of_made_queries_are_read_back_as_they_were(main, seen, tmp_path):
    shop = write_csv(tmp_path / "c.csv", FIELDS, [("-12", "=red scarf", "+Scarves", "red", "wool"), *SHOP])
    main("mine", "seen", "--catalogue", shop, "--from", "lexical", "--out", "m.parquet")
    sample = tmp_path / "m.sample.csv"
    assert "'-12" in sample.read_text(encoding="utf-8")
    rows = [row for row in Table(sample).rows() if row.values["candidate_id"] == "-12"]
    assert {row.values["title"] for row in rows} == {"=red scarf"}
    main("queries", "--catalogue", shop, "--out", "q.csv", "--per-category", 3)
    assert "'+scarves" in (tmp_path / "q.csv").read_text(encoding="utf-8")
    categories = {row.values["category"] for row in Table(tmp_path / "q.csv").rows()}
    assert not {each for each in categories if each.startswith("'")}


def test_the_columns_of_a_foreign_shop_go_with_the_mined_file(main, tmp_path):
    write_csv(tmp_path / "shop.csv", ("code", "product name", "category"), [row[:3] for row in SHOP])
    write_csv(tmp_path / "pairs.csv", ("query", "code"), [("red wool scarf", "E1"), ("kettle", "E4")])
    mapping = ("--map", "candidate_id=code", "--map", "title=product name")
    main("label", "pairs.csv", "--catalogue", "shop.csv", *mapping, "--engine", "fake", "--out", "run")
    mining = ("mine", "run", "--catalogue", "shop.csv", "--from", "lexical", "--out", "m.parquet")
    told = main(*mining)
    assert "found nowhere: brand" in told.err
    command = told.out.partition("next: judge ")[2].partition("\n")[0]
    # By the command as it is shown, and without its --map: the mined file knows.
    for at, words in enumerate((command, command.partition(" --map")[0] + " --engine fake")):
        main(*shlex.split(words.replace("DIR", f"r{at}")))
        texts = [row["candidate"] for row in rows_of(tmp_path / f"r{at}" / "pairs.parquet")]
        assert all(text["title"] for text in texts)
        manifest = json.loads((tmp_path / f"r{at}" / "run.json").read_text())
        assert "title" not in manifest["missing_fields"]
        assert manifest["parts"]["judge"] == "fake"
    judge = rj.Judge(engine="fake")
    rj.label(tmp_path / "m.parquet", catalogue=tmp_path / "shop.csv", judge=judge, out=tmp_path / "r2")
    rj.plan(tmp_path / "m.parquet", catalogue=tmp_path / "shop.csv", judge=judge, out=tmp_path / "r3")
    for name in ("r2", "r3"):
        assert "title" not in json.loads((tmp_path / name / "run.json").read_text())["missing_fields"]


def test_a_sample_to_which_people_added_columns_is_read_back_as_it_was(main, seen, tmp_path):
    shop = write_csv(tmp_path / "c.csv", FIELDS, [("-12", "=red scarf", "+Scarves", "red", "wool"), *SHOP])
    main("mine", "seen", "--catalogue", shop, "--from", "lexical", "--out", "m.parquet")
    main("label", "m.parquet", "--catalogue", shop, "--engine", "fake", "--out", "mined")
    rows = [line.split(",") for line in (tmp_path / "m.sample.csv").read_text(encoding="utf-8").splitlines()]
    assert any(row[2] == "'-12" for row in rows[1:])
    graded = [(*row[:3], grade, who) for row in rows[1:] for grade, who in ((0, "Ana"), (0, "Ben"))]
    write_csv(tmp_path / "people.csv", ("query_id", "query", "candidate_id", "grade", "rater"), graded)
    found = main("mine", "mined", "--worth", "people.csv", "--json").json
    assert (found["rated"], found["not_mined"]) == (found["pairs"], 0)
