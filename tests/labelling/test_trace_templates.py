"""Traces where the judge, the template or the query is not here."""

import csv
import json
import math
import re

import pyarrow.parquet as pq
import pytest
from conftest import ROOT, write_flags

from judge.export.row_exports import export_locations
from judge.export.selection import Selection
from judge.export.writing import export
from judge.labelling.label import read_pairs
from judge.labelling.prompt_replay import find_template
from judge.run.store import Run
from judge.words.prompt import PromptBuilder
from judge.words.templates import template_digest

SHOP = ROOT / "examples" / "shop"


LABEL = ("label", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--engine", "fake", "--limit", "40")


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_what_is_not_there_is_met_with_what_is_near(main, tmp_path):
    main(*LABEL, "--out", "run")
    assert "did you mean 'hiking boots' (Q01)?\n" in main("trace", "run", "hikng boots", "P001", code=2).err
    gone = main("trace", "run", "hiking boots", "P0031", code=2).err
    assert "the query 'hiking boots' has no candidate 'P0031'" in gone
    assert "it has 'P003'" in gone
    beside = "candidate_id NOT IN (SELECT candidate_id FROM pairs WHERE query_id = 'Q01')"
    elsewhere = Run(tmp_path / "run").query(f"SELECT candidate_id, query FROM pairs WHERE {beside}")[0]
    assert f"stands under {elsewhere[1]!r}" in main("trace", "run", "Q01", elsewhere[0], code=2).err
    (tmp_path / "two.csv").write_text("query_id,query,candidate_id,title\na,lamp,p1,A lamp\nb,lamp,p1,A lamp\n")
    main("label", "two.csv", "--engine", "fake", "--out", "two")
    assert "belong to the query ids a, b" in main("trace", "two", "lamp", "p1", code=2).err
    assert main("trace", "two", "b", "p1", "--json").json["row"] == 2


def test_a_judge_or_template_that_is_not_here_is_said_plainly(main, tmp_path):
    main(*LABEL, "--out", "run")
    path = tmp_path / "run" / "run.json"
    manifest = json.loads(path.read_text())

    def told(**parts):
        path.write_text(json.dumps(manifest | {"parts": manifest["parts"] | parts}))
        found = main("trace", "run", "Q01", "P003", "--json").json["asked"]
        assert "ids" not in found
        return found["missing"]

    assert "no template in prompts/ has the text" in told(template_digest="0" * 64)
    counting = {"template_digest": template_digest("judge-match.v2")}
    assert "its texts were read by another rule" in told(**counting)
    assert "its texts were read by another rule" in told(**counting, words="1")
    absent = told(judge="./no/such/judge", weights="w", tokenizer="t")
    assert "the tokenizer of ./no/such/judge is not on this machine; name the judge's directory with --judge" in absent
    (tmp_path / "other").mkdir()
    assert "is another than the one that made this run" in told(
        judge=str(tmp_path / "other"), weights="w", tokenizer="t"
    )


def test_every_template_is_found_by_its_digest():
    assert find_template(template_digest("judge.v1")) == "judge.v1"
    assert find_template(None) is None


@pytest.mark.slow
def test_a_model_and_an_adapter_of_it_show_their_prompts(main, tmp_path, tiny_base):
    from judge.engines import Judge

    (tmp_path / "pairs.csv").write_text("query,candidate_id,title\nlamp,p1,A lamp <|im_end|> of steel\n")
    main("label", "pairs.csv", "--judge", tiny_base, "--out", "run")
    found = main("trace", "run", "lamp", "p1", "--json").json
    text = "".join(part["text"] for part in found["asked"]["segments"])
    assert "Title: A lamp <|im_end|> of steel\n" in text
    assert text.endswith("Grade: ")
    prompt = PromptBuilder(Run(tmp_path / "run").manifest and _policy(tmp_path), Judge(str(tiny_base)).tokenizer).build(
        [pair for batch in read_pairs(tmp_path / "run" / "pairs.parquet") for pair, _ in batch]
    )[0]
    assert found["asked"]["ids"] == prompt.ids
    assert math.isclose(sum(found["probabilities"]), 1)
    # The directory moved: the run's name for it leads nowhere, --judge does.
    path = tmp_path / "run" / "run.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"parts": manifest["parts"] | {"judge": "gone/tiny"}}))
    assert "gone/tiny is not on this machine" in main("trace", "run", "lamp", "p1", "--json").json["asked"]["missing"]
    assert main("trace", "run", "lamp", "p1", "--judge", tiny_base, "--json").json["asked"] == found["asked"]


def _policy(folder):
    from judge.words.guideline import Guideline

    return Guideline.model_validate(Run(folder / "run").manifest.guideline)


def test_a_row_without_a_query_is_told_too(main, tmp_path):
    (tmp_path / "g.csv").write_text("query_id,query,candidate_id,grade\nq1,lamp,p1,2\nq2,,p2,0\n")
    main("import", "g.csv", "--out", "run", "--skip-bad-rows")
    told = main("trace", "run", "q2", "p2").out
    assert re.search(r"query +– *\n", told)
    assert "empty_query: is empty" in told
    assert main("trace", "run", "q2", "p2", "--json").json["query"] is None
    assert "the query 'q2' has no candidate 'p9'" in main("trace", "run", "q2", "p9", code=2).err


def test_an_export_that_would_be_refused_by_now_does_not_stop_the_trace(run_of, tmp_path):
    rows = [
        {"query": f"{word} lamp", "candidate_id": word, "title": word, "grade": 2} for word in ("red", "oak", "tin")
    ]
    run = run_of([*rows, *(row | {"candidate_id": row["candidate_id"] + "2", "grade": 0} for row in rows)])
    splits = {"train": 0.5, "test": 0.5}
    export(run, "judgments", tmp_path / "out", Selection(splits=splits, products="shared", flagged="leave_out"))
    pairs = pq.read_table(run.pairs_path).slice(1).to_pylist()
    write_flags(run, [(p["row"], p["query_id"], p["query"], p["candidate_id"], 2, 0) for p in pairs])
    (found,) = export_locations(run, 2)
    assert found.split is None
    assert "cannot be chosen again (--splits:" in found.left_out
