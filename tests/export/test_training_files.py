"""Training sets as files: scores, texts, caps, what the ledger says of them, and that every row is accounted for."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from judged_rows import LAMP, read, row, texts

from judge.errors import InputError, RunError
from judge.export import chosen
from judge.export.formats import formats
from judge.export.ledger import Exports
from judge.export.published import views, write_views
from judge.export.selection import Negatives, Selection
from judge.export.texts import candidate_text
from judge.export.writing import export
from judge.run.decided import Decided
from judge.run.decisions import Decision, Decisions, Verdict
from judge.words.guideline import load_guideline


def test_pairs_have_a_score_between_0_and_1_or_a_class(run_of, tmp_path):
    run = run_of([row("q", "a", 2), row("q", "b", 1, 0.8, expected_grade=0.5), row("q", "c", 0)])
    export(run, "pairs", tmp_path / "s")
    assert read(tmp_path / "s") == [
        {"sentence1": "q", "sentence2": f"product {key}", "score": score}
        for key, score in zip("abc", (1, 0.5, 0), strict=True)
    ]
    export(run, "pairs", tmp_path / "e", Selection(score="expected"))
    # 0.5 of 2 is 0.25; people's grades have no expectation and stay.
    assert [r["score"] for r in read(tmp_path / "e")] == [1, 0.25, 0]
    export(run, "pairs", tmp_path / "l", Selection(pairs="labelled"))
    assert [r["label"] for r in read(tmp_path / "l")] == [2, 1, 0]
    query = pq.read_table(run.pairs_path).column("query_id")[0].as_py()
    changed = {"query_id": query, "candidate_id": "b", "verdict": Verdict.CHANGE, "grade": 2, "label": 1}
    Decisions(run.path).append([Decision(author="judge big", reason="", time="t", source="judge", **changed)])
    export(run, "pairs", tmp_path / "d", Selection(score="expected"))
    # What another judge decided is not what the first one expected.
    assert [r["score"] for r in read(tmp_path / "d")] == [1, 1, 0]
    # Nor is it as improbable as the first one has it: the evidence was for it, too.
    assert export(run, "triplets", tmp_path / "t").records == {"train": 2}
    assert set(texts(read(tmp_path / "t"))) == {("a", "c"), ("b", "c")}


def test_four_grades_with_gaps_are_scaled_by_their_ends(run_of, tmp_path):
    text = load_guideline("esci-four-level").model_dump(mode="json")
    text["grades"] = [grade | {"value": value} for grade, value in zip(text["grades"], (1, 2, 4, 9), strict=True)]
    text["clauses"] = []
    policy = type(load_guideline()).model_validate(text)
    rows = [row("q", key, grade) for key, grade in zip("abcd", (9, 4, 2, 1), strict=True)]
    run = run_of(rows, policy=policy)
    export(run, "pairs", tmp_path / "p")
    assert [r["score"] for r in read(tmp_path / "p")] == pytest.approx([1, 3 / 8, 1 / 8, 0])
    assert export(run, "triplets", tmp_path / "t").records == {"train": 3 + 2 + 1}
    export(run, "pairs", tmp_path / "c", Selection(pairs="labelled"))
    assert [r["label"] for r in read(tmp_path / "c")] == [3, 2, 1, 0]


def test_one_text_is_made_of_the_fields_asked_for_in_their_order(run_of, tmp_path):
    rows = [row("q", "a", 2, brand="Acme", colour=None), row("q", "b", 0) | {"title": None}]
    run = run_of(rows)
    done = export(run, "pairs", tmp_path / "p", Selection(fields=("brand", "title")))
    assert [r["sentence2"] for r in read(tmp_path / "p")] == ["Acme | product a"]
    assert done.left_out == {"no text in the chosen fields": 1}
    assert export(run, "trec", tmp_path / "q").used == 2, "qrels need no text"
    with pytest.raises(InputError, match="no such field"):
        export(run, "pairs", tmp_path / "x", Selection(fields=("weight",)))


@given(st.lists(st.lists(st.sampled_from([None, "é", "a b"]), min_size=2, max_size=2), min_size=1, max_size=9))
def test_texts_stay_with_their_rows(cells):
    candidates = pa.array(
        [dict(zip("ab", row, strict=True)) for row in cells], pa.struct({n: pa.string() for n in "ab"})
    )
    wanted = [" | ".join(text for text in row if text) for row in cells]
    assert candidate_text(candidates, ("a", "b")).to_pylist() == wanted
    assert candidate_text(candidates, ()).to_pylist() == [""] * len(cells)


def test_a_cap_takes_grades_in_turn_and_balance_the_rarest(run_of, tmp_path):
    rows = [row("q", f"z{i}", 0) for i in range(10)] + [row("q", "one", 1), row("q", "two", 2)]
    run = run_of(rows)
    done = export(run, "judgments", tmp_path / "c", Selection(per_query=4))
    assert sorted(r["grade"] for r in read(tmp_path / "c")) == [0, 0, 1, 2]
    assert done.left_out == {"beyond the number for a query": 8}
    done = export(run, "judgments", tmp_path / "b", Selection(balance=True))
    assert sorted(r["grade"] for r in read(tmp_path / "b")) == [0, 1, 2]
    assert done.left_out == {"more than the rarest grade has": 9}


def test_a_row_group_is_bounded_by_its_bytes_too(run_of, tmp_path, monkeypatch):
    """A list holds the texts of all candidates of a query: so many rows of them as of pairs are too many."""
    monkeypatch.setattr("judge.export.parquet.GROUP_BYTES", 2_000)
    monkeypatch.setattr("judge.export.query_batches.BATCH", 1)
    export(run_of([row(f"q{n}", "long " * 100, n % 3) for n in range(20)]), "listwise", tmp_path / "l")
    with pq.ParquetFile(tmp_path / "l") as file:
        assert 4 <= file.num_row_groups < 20, "500 bytes a row"
        assert file.read().column("query").to_pylist() == [f"q{n}" for n in range(20)]


def test_listwise_keeps_a_query_together_in_input_order(run_of, tmp_path):
    export(run_of([row("x", "a", 0), row("y", "b", 1), row("x", "longer name", 2)]), "listwise", tmp_path / "l")
    assert read(tmp_path / "l") == [
        {"query": "x", "docs": ["product a", "product longer name"], "labels": [0, 2]},
        {"query": "y", "docs": ["product b"], "labels": [1]},
    ]


def test_nothing_to_write_is_an_error_that_says_why(run_of, tmp_path):
    run = run_of([row("q", "a", 2, 0.5), row("q", "b", 2, 0.5)])
    with pytest.raises(InputError, match="2 × no pair of another grade in its query") as error:
        export(run, "triplets", tmp_path / "t")
    assert error.value.hint == "label more, or export to judgments, which sets no rows against each other"
    with pytest.raises(InputError, match="2 × below the least confidence"):
        export(run, "trec", tmp_path / "t", Selection(min_confidence=0.9))
    assert not (tmp_path / "t").exists()
    assert list(Exports(run.path)) == []


def test_the_ledger_says_what_went_out(run_of, tmp_path):
    run = run_of(LAMP)
    export(run, "trec", tmp_path / "q.rel")
    with (run.path / "exports.jsonl").open("a") as stream:
        stream.write('{"time": "cut sho')
    export(run, "beir", tmp_path / "b", Selection(min_confidence=0.75))
    first, second = Exports(run.path)
    assert (first.format, first.out, first.used, first.input_rows) == ("trec", "q.rel", 4, 4)
    assert list(first.files) == ["q.rel"]
    assert (second.selection.min_confidence, second.left_out) == (0.75, {"below the least confidence": 1})
    assert sorted(second.files) == ["corpus.jsonl", "qrels/test.tsv", "queries.jsonl"]
    assert str(tmp_path) not in (run.path / "exports.jsonl").read_text()


def test_a_ledger_that_cannot_be_written_is_found_before_any_work(run_of, tmp_path, monkeypatch):
    run = run_of(LAMP)
    (run.path / "exports.jsonl").mkdir()
    monkeypatch.setattr(chosen, "_make_rows", None)
    with pytest.raises(RunError, match=r"exports.jsonl: cannot be written \(Is a directory\)"):
        export(run, "trec", tmp_path / "x.qrels")
    assert not list(tmp_path.glob("*x.qrels*"))


@pytest.mark.parametrize("form", ["trec", "beir"])
def test_an_export_that_was_killed_before_it_was_noted_is_noted_by_the_same_command(
    run_of, tmp_path, monkeypatch, form
):
    run = run_of(LAMP)
    with monkeypatch.context() as killed:
        killed.setattr(Exports, "append", lambda *arguments: 1 / 0)
        for out in ("x", "other"):
            with pytest.raises(ZeroDivisionError):
                export(run, form, tmp_path / out)
    assert (tmp_path / "x").exists()
    assert list(Exports(run.path)) == []
    done = export(run, form, tmp_path / "x")
    assert list(Exports(run.path)) == [done]
    assert (done.out, done.used) == ("x", 4)
    # From now on it is there like any other; and what stands there now is not what was killed.
    shutil.rmtree(tmp_path / "other") if form == "beir" else (tmp_path / "other").unlink()
    (tmp_path / "other").write_text("mine")
    for out in ("x", "other"):
        with pytest.raises(InputError, match="is already there"):
            export(run, form, tmp_path / out)
    assert list(Exports(run.path)) == [done]
    assert (tmp_path / "other").read_text() == "mine"


def test_views_to_publish(run_of, tmp_path):
    run = run_of([*LAMP, row("desk", "e", 2), row("desk", "f", 0), row("desk", "g", None, status="failed", reason="x")])
    written = write_views(Decided.of(run), Selection(negatives=Negatives(count=1)), tmp_path / "views", (*views(),))
    for name, view in written.views.items():
        assert view.files == (f"{name}/train-00000.parquet",)
        assert pq.read_metadata(tmp_path / "views" / view.files[0]).num_rows == view.records["train"]
        assert view.used + sum(view.left_out.values()) == 7 == written.input_rows
    with pytest.raises(InputError, match="already there"):
        write_views(Decided.of(run), Selection(), tmp_path / "views")
    with pytest.raises(InputError, match="is not a view"):
        write_views(Decided.of(run), Selection(), tmp_path / "other", ("labels",))


def test_published_qrels_name_only_what_corpus_and_queries_hold(run_of, tmp_path):
    bare = {"query": "lamp", "candidate_id": "bare", "grade": 0}
    run = run_of([row("lamp", "a", 2), bare, row("desk", "b", 1), bare | {"query": "chair", "grade": 2}])
    write_views(Decided.of(run), Selection(), tmp_path / "v", without_empty=True)
    held = {name: read(tmp_path / "v" / name / "train-00000.parquet") for name in ("qrels", "corpus", "queries")}
    assert {each["corpus-id"] for each in held["qrels"]} == {each["_id"] for each in held["corpus"]} == {"a", "b"}
    assert {each["query-id"] for each in held["qrels"]} == {each["_id"] for each in held["queries"]}


def test_a_broken_write_is_found_and_leaves_nothing(run_of, tmp_path, monkeypatch):
    run, whole = run_of(LAMP), pq.ParquetWriter.write_table
    monkeypatch.setattr(pq.ParquetWriter, "write_table", lambda self, table: whole(self, table.slice(1)))
    for form in ("judgments", "triplets"):
        with pytest.raises(RunError, match="reads back otherwise"):
            export(run, form, tmp_path / "x")
        assert not list(tmp_path.glob("*x*partial")), "no half-written file is left"
        assert not (tmp_path / "x").exists()


def test_every_format_accounts_for_every_row(run_of, tmp_path, main):
    rows = [*LAMP, row("desk", "e", 1, 0.3), row("", "f", 1), row("lamp", "g", None, status="failed", reason="x")]
    rows[0] = rows[0] | {"expected_grade": 1.85}  # 2 x .9 + 1 x .05: soft labels need one
    run = run_of([r for r in rows if r["query"]] + [rows[0]])
    for form in formats():
        few = ("--negatives", 2) if "negatives" in formats()[form].options else ()
        said = main("export", run.path, "--to", form, "--out", tmp_path / form, "--json", *few).json
        assert said["used"] + sum(said["left_out"].values()) == said["input_rows"] == 7, form
        if form not in ("jsonl", "csv", "parquet"):
            assert said["left_out"] | {"failed": 1, "skipped": 1} == said["left_out"], form
    assert len(json.loads((tmp_path / "label-studio").read_text())) == 5


@pytest.mark.parametrize("to", ["triplets", "csv"])
def test_tables_in_memory_and_on_disk_make_the_same_files(main, tmp_path, monkeypatch, to):
    """Few rows are worked on in memory, many on disk."""
    shop = ROOT / "examples" / "shop"
    made = []
    for most in (20_000, -1):
        monkeypatch.setattr("judge.sql.FEW_ROWS", most)
        main("import", shop / "grades.csv", "--catalogue", shop / "catalogue.csv", "--out", f"run{most}")
        splits = ["--splits", "train=0.8,test=0.2"] if to == "triplets" else []
        main("export", f"run{most}", "--to", to, *splits, "--out", f"made{most}")
        out = tmp_path / f"made{most}"
        files = sorted(out.iterdir()) if out.is_dir() else [out]
        made.append([path.read_bytes() for path in [tmp_path / f"run{most}" / "pairs.parquet", *files]])
    assert made[0] == made[1]
    assert len(made[0]) == (3 if to == "triplets" else 2)
