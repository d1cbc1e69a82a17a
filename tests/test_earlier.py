"""Files that version 0.1.1 wrote: every verb reads them, with the values that that version gave.

Nothing is asked of modules but the version's number: they may move, and what they left behind keeps its meaning.
"""

import csv
import hashlib
import json
import re
import shutil
import subprocess
import urllib.request
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import COMMAND, ROOT

from judge import __version__

EARLIER = ROOT / "tests" / "data" / "earlier"
LABEL = ("label", "pairs.csv", "--catalogue", "catalogue.jsonl", "--skip-bad-rows", "--engine", "fake")
FINETUNE = ("finetune", "lessons.csv", "--base", "base", "--config", "config.yaml")
SPLITS = ("--splits", "train=0.6,test=0.4")
LEFT_OUT = {"abstained": 12, "failed": 8, "skipped": 4}
REPEATED = {("ca98d22b706bc3ad", "101.0"), ("014cb1824afc0a8a", "P-015")}
"""Flagged pairs whose label the adjudicating judge gave again: whether that settles them is not a matter of reading."""
FLAGGED = {
    *REPEATED,
    *((query, "007") for query in ("014cb1824afc0a8a", "a6b996a0cbdc7207")),
    *((query, "é-9") for query in ("b9b98600be1efb28", "fb2ac5121f8db4b4")),
    *((query, "P-002") for query in ("20cd4732ae60507a", "a6b996a0cbdc7207")),
    *((query, "P-012") for query in ("6873072bb5a888f3", "7908620273ceeeaa")),
    *(("014cb1824afc0a8a", "=1+1"), ("26f6945946606041", "P-010"), ("8a9a1d9517541f4b", "P-014")),
    *(("c3c0291415b3cfec", "P-007"), ("f601de3d83e0906f", "P-008")),
}


@pytest.fixture(autouse=True)
def earlier(tmp_path):
    """A copy of all of it, where `main` runs."""
    return Path(shutil.copytree(EARLIER, tmp_path, dirs_exist_ok=True))


def rows(path):
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def records(folder):
    """What an export holds, by its split."""
    return {path.name.partition("-")[0]: pq.read_table(path).to_pylist() for path in sorted(folder.glob("*.parquet"))}


def pairs_of(items):
    return {(item["query_id"], item["candidate_id"]) for item in items}


def test_rows_are_counted_by_status_and_grade(main):
    told = {name: main("status", name, "--json").json for name in ("labelled", "imported", "halfway")}
    assert {name: found["fingerprint"] for name, found in told.items()} == {
        "labelled": "4a1a44d2323cfcc5",
        "imported": "5351efb7e21ba6ee",
        "halfway": "563aa75f81c6bae9",
    }
    labelled, imported, halfway = told.values()
    assert labelled["status"] == {"graded": 135, "abstained": 13, "failed": 8, "skipped": 4}
    assert labelled["grades"] == {"0": 42, "1": 54, "2": 39}
    assert sorted(labelled["reasons"].values()) == [1, 1, 2, 8, 13]
    assert (labelled["done"], labelled["mean_confidence"]) == (True, pytest.approx(0.79087838))
    assert imported["status"] == {"graded": 104, "abstained": 0, "failed": 0, "skipped": 0}
    assert (imported["grades"], imported["mean_confidence"]) == ({"0": 35, "1": 35, "2": 34}, None)
    assert (halfway["rows"], halfway["labelled"], halfway["done"]) == (160, 56, False)
    assert halfway["grades"] == {"0": 19, "1": 19, "2": 16}


def test_every_row_is_exported_with_its_query_id_label_and_latest_decision(main, earlier):
    main("export", "labelled", "--to", "jsonl", "--out", "again.jsonl")
    before, after = lines(earlier / "exports" / "all.jsonl"), lines(earlier / "again.jsonl")
    # A judge that only repeated the label settles nothing any more: of its two decisions the label is what stays.
    kept = [name for name in before[0] if not name.startswith(("decided", "decision"))]
    for old, row in zip(before, after, strict=True):
        names = kept if (old["query_id"], old["candidate_id"]) in REPEATED else old
        assert {name: row[name] for name in names} == {name: old[name] for name in names}
    # An id that a query did not bring is the digest of its text, letter by letter, without the space around it: of one
    # text in two normal forms, with another space, or in capitals, each has its own.
    given = {row["query"].strip() for row in rows(earlier / "pairs.csv")} - {""}
    made = {hashlib.sha256(text.encode()).hexdigest()[:16] for text in given}
    assert len(made) == 26
    assert {row["query_id"] for row in after} - {None} == made
    decided = {(row["query"], row["candidate_id"]): row for row in after if row["decided_by"]}
    assert decided["wooden chair", "P-010"]["decided_by"] == "Ben"
    assert {key: row["grade"] for key, row in decided.items() if row["grade"] != row["label_grade"]} == {
        ("木製の椅子", "007"): 2,  # Ana; without a note: the judge
        ("wooden chair", "P-010"): 0,  # Ana kept 1, Ben changed it
        ("wool scarf", "P-001"): 2,  # Cléo, of a pair without a flag
        ("Wool Scarf", "P-002"): 2,  # Cléo, where the judge had abstained
        ("wool scarf", "007"): 2,
        ("木製の椅子", "=1+1"): 2,
        ("wood lamp", "é-9"): 2,
        ("'; DROP TABLE pairs; --", "P-012"): 2,
        ("cafe\u0301 lamp", "P-012"): 2,
    }


@pytest.mark.parametrize(
    ("form", "count"),
    [
        *((form, 136) for form in ("judgments", "pairs", "trec", "quepid", "label-studio", "argilla", "beir")),
        *((form, 26) for form in ("listwise", "opensearch")),
        *((form, 160) for form in ("jsonl", "csv", "parquet")),
    ],
)
def test_each_format_is_written(main, earlier, form, count):
    found = main("export", "labelled", "--to", form, "--out", "again", "--json").json
    assert sum(found["records"].values()) == count
    # 13 abstained, of which one was decided.
    assert (found["used"], found["left_out"]) == ((160, {}) if count == 160 else (136, LEFT_OUT))
    if form == "trec":
        assert (earlier / "again").read_bytes() == (earlier / "exports" / "all.qrels").read_bytes()
    noted = lines(earlier / "labelled" / "exports.jsonl")
    assert [line["format"] for line in noted] == ["jsonl", "trec", "triplets", "judgments", form]
    for line in noted[:4]:
        for name, digest in line["files"].items():
            path = earlier / "exports" / line["out"]
            assert hashlib.sha256((path / name if path.is_dir() else path).read_bytes()).hexdigest() == digest


def test_queries_and_products_stay_on_their_side_of_a_split(main, earlier):
    main("export", "labelled", "--to", "judgments", *SPLITS, "--out", "again")
    before, after = records(earlier / "exports" / "judgments"), records(earlier / "again")
    assert {split: len(found) for split, found in after.items()} == {"train": 11, "test": 60}
    for split, found in before.items():
        assert [{name: row[name] for name in found[0]} for row in after[split]] == found
    main("export", "labelled", "--to", "triplets", *SPLITS, "--products", "shared", "--out", "shared")
    queries = {split: {row["anchor"] for row in found} for split, found in records(earlier / "shared").items()}
    told = {split: {row["anchor"] for row in found} for split, found in records(earlier / "exports/triplets").items()}
    assert queries == told
    # Near-duplicates, whatever their ids, are on one side.
    assert {"wool scarf", "Wool Scarf", "scarf, wool", "caf\u00e9 lamp", "cafe\u0301 lamp", "cafe lamp"} <= queries[
        "test"
    ]
    assert {"glass reading lamp for a desk", "glass reading lamps for a desk"} <= queries["test"]
    assert {"steel kettle", "steel\u00a0kettle", "glass kettle 1.7 l", "glass kettle 1.5 l"} <= queries["train"]


def test_triplets_are_those_of_then(main, earlier):
    options = ("--products", "shared", "--negative-confidence", "0.3")
    main("export", "labelled", "--to", "triplets", *SPLITS, *options, "--out", "again")
    before, after = records(earlier / "exports" / "triplets"), records(earlier / "again")
    # But for queries of the pairs in `REPEATED`: as long as a flag is open, its pair stands against no other.
    for split, found in before.items():
        kept = [
            [row for row in each if row["anchor"] not in ("wool chair", "木製の椅子")] for each in (found, after[split])
        ]
        assert kept[0] == kept[1]
        assert len(kept[0]) > 50


def test_people_find_their_pairs_in_the_run(main):
    found = main("agree", "people.csv", "--run", "labelled", "--json").json
    assert (found["rated"], found["n"], found["queries"], found["not_in_run"]) == (104, 90, 26, 0)
    assert found["not_graded"] == {"abstained": 8, "failed": 6}
    assert found["confusion"] == [[26, 6, 1], [0, 31, 0], [3, 0, 23]]
    assert found["accuracy"]["value"] == pytest.approx(80 / 90)


@pytest.mark.parametrize(("run", "people"), [("labelled", ("--people", "people.csv")), ("imported", ())])
def test_an_audit_finds_the_flags_of_then(main, earlier, run, people):
    before = pq.read_table(earlier / run / "flags.parquet").to_pylist()
    found = main("audit", run, "events.csv", *people, "--out", "audit", "--overwrite", "--json").json
    after = pq.read_table(earlier / "audit" / "flags.parquet").to_pylist()
    assert len(before) == {"labelled": 43, "imported": 6}[run]
    # What clicks and purchases share counts once now, and results at one position hold flags back: some of then are not
    # strong enough, and none is new.
    then, now = ({(flag["row"], flag["type"]): flag for flag in flags} for flags in (before, after))
    assert now.keys() <= then.keys()
    assert len(now) >= {"labelled": 38, "imported": 6}[run]
    names = ("row", "query_id", "query", "candidate_id", "grade", "type", "clicks", "purchases")
    for key, new in now.items():
        assert {name: new[name] for name in names} == {name: then[key][name] for name in names}
        assert (new["suggested_grade"] > new["grade"]) == (then[key]["suggested_grade"] > then[key]["grade"])
        assert 0.5 < new["p_wrong"] <= 1
        assert set(then[key]) <= set(new)
    assert {kind: count for kind, count in found["flags"].items() if count} == Counter(kind for _, kind in now)
    assert found["input"]["of_other_pairs"] == {"labelled": 40, "imported": 98}[run]


def test_two_runs_are_compared_with_decisions(main):
    found = main("diff", "labelled", "imported", "--json").json
    sides = [(found[side]["pairs"], found[side]["repeats"], found[side]["unreadable"]) for side in ("a", "b")]
    assert sides == [(157, 2, 1), (104, 0, 0)]
    assert (found["only_a"], found["only_b"], found["both"]) == (53, 0, 104)
    assert (found["same"], found["moved"], found["by_decision"]) == (82, 22, 4)
    assert found["matrix"] == [[27, 0, 1, 0, 0], [3, 29, 0, 0, 0], [3, 2, 26, 0, 0], [1, 2, 4, 0, 0], [1, 2, 3, 0, 0]]


def test_a_pair_is_traced_through_everything(main):
    found = main("trace", "labelled", "wooden chair", "P-010", "--ratings", "people.csv", "--json").json
    assert found == {
        **main("trace", "labelled", "26f6945946606041", "P-010", "--json").json,
        "ratings": found["ratings"],
    }
    assert (found["row"], found["status"], found["grade"], found["final_grade"]) == (80, "graded", 1, 0)
    assert found["probabilities"] == pytest.approx([0.1636674056, 0.6686005499, 0.1677320445])
    assert found["uncalibrated"] == pytest.approx([0.2928907479, 0.4124654485, 0.2946438036])
    assert (found["threshold"], found["outside_mass"]) == (0.509011, pytest.approx(0.01))
    assert [flag["type"] for flag in found["flags"]] == [
        *("judge_against_people", "likely_label_error", "ignored_but_relevant")
    ]
    flag = found["flags"][0]
    assert (flag["impressions"], flag["clicks"], flag["expected_low"], flag["expected_high"]) == (1252, 8, 49, 83)
    assert (flag["people_grade"], flag["suggested_grade"], flag["suggested_action"]) == (0, 0, "re-judge")
    decisions = [(d["author"], d["verdict"], d["grade"], d["label"], d["source"]) for d in found["decisions"]]
    assert decisions == [("Ana", "keep", None, 1, "file"), ("Ben", "change", 0, 1, "file")]
    assert [export["exported"]["format"] for export in found["exports"]] == ["jsonl", "trec", "triplets", "judgments"]


def test_the_queue_holds_what_is_undecided_or_unsure(main, earlier):
    main("queue", "labelled", "--to", "csv", "--out", "queue.csv")
    # Ben was unsure of the first, after Ana had changed it; of the others the judge was.
    assert pairs_of(rows(earlier / "queue.csv")) - REPEATED == {
        *(("a6b996a0cbdc7207", "P-002"), ("c3c0291415b3cfec", "P-007"), ("f601de3d83e0906f", "P-008")),
        *(("8a9a1d9517541f4b", "P-014"), ("b9b98600be1efb28", "é-9")),
    }
    assert pairs_of(pq.read_table(earlier / "labelled" / "flags.parquet").to_pylist()) == FLAGGED
    for form in ("label-studio", "argilla"):
        assert main("queue", "imported", "--to", form, "--out", form, "--json").json["pairs"] == 3


def test_decisions_are_known_again_and_new_ones_added(main, earlier):
    again = main("decide", "labelled", "decisions.csv", "--author", "Ana", "--json").json
    assert (again["decisions"], again["already_there"]) == (0, 6)
    (earlier / "new.csv").write_text("query_id,candidate_id,decision\nc3c0291415b3cfec,P-007,0\n", encoding="utf-8")
    assert main("decide", "labelled", "new.csv", "--author", "Ana", "--json").json["change"] == 1
    assert len(lines(earlier / "labelled" / "decisions.jsonl")) == 22


def test_the_review_page_shows_the_flags(earlier):
    command = [*COMMAND, "review", "labelled", "--author", "Ana"]
    environment = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=earlier, env=environment) as process:
        try:
            address = re.search(r"http://\S+", process.stdout.readline()).group()
            with urllib.request.urlopen(f"{address}state?place=14", timeout=60) as answer:
                state = json.load(answer)
        finally:
            process.kill()
    assert (state["total"], state["place"]) == (15, 14)
    assert (state["item"]["query_id"], state["item"]["candidate_id"]) in FLAGGED


def test_another_judge_adjudicates_what_people_graded(main, earlier):
    found = main("adjudicate", "imported", "--with", "smollm2-135m", "--engine", "fake", "--sure", "1", "--json").json
    assert found["opinions"] == 3
    decided = lines(earlier / "imported" / "decisions.jsonl")
    assert pairs_of(decided) == pairs_of(pq.read_table(earlier / "imported" / "flags.parquet").to_pylist())
    assert {line["author"] for line in decided} == {"judge fake"}


def test_a_calibration_is_read_and_decides_as_it_did(main, earlier):
    main(*LABEL, "--calibration", "calibration.json", "--max-noise", "0.4", "--out", "again")
    found = main("status", "again", "--json").json
    # A query far larger than the others no longer spoils the bound: .4 can be promised of all pairs, where the version
    # before left 14 to people.
    assert found["status"] == {"graded": 156, "abstained": 0, "failed": 0, "skipped": 4}
    main("export", "again", "--to", "csv", "--out", "again.csv")
    mine = {
        row["candidate_id"]: row["probabilities"] for row in rows(earlier / "again.csv") if row["query"] == "kettle"
    }
    theirs = next(row for row in lines(earlier / "exports" / "all.jsonl") if row["query"] == "kettle")
    # A new run reads the id 101.0 as 101; the earlier one keeps it.
    assert theirs["candidate_id"] == "101.0"
    assert [*map(float, mine["101"].split())] == pytest.approx(theirs["probabilities"])


def rounded(text):
    """A text with 12 decimals of each number, at most."""
    return re.sub(r"\d+\.\d{13,}", lambda found: f"{float(found[0]):.12f}", text)


def test_a_run_that_was_killed_goes_on(main, earlier):
    before = {path.name: path.read_bytes() for path in (earlier / "halfway" / "labels").glob("*.parquet")}
    assert len(before) == 3
    assert list((earlier / "halfway" / "labels").glob("*.partial"))
    if __version__ != "0.1.1":
        assert f"toolkit: 0.1.1 → {__version__}" in main(*LABEL, "--out", "halfway", code=2).err
        return
    main(*LABEL, "--out", "halfway")
    found = main("status", "halfway", "--json").json
    assert (found["labelled"], found["done"], found["fingerprint"]) == (160, True, "563aa75f81c6bae9")
    # What was judged is not judged again: the parts are the same to the byte, and only the rest was asked for.
    after = {path.name: path.read_bytes() for path in (earlier / "halfway" / "labels").iterdir()}
    assert {name: after[name] for name in before} == before
    assert set(after) == {*before, "part-000000000056.parquet"}
    assert json.loads((earlier / "halfway" / "run.json").read_text())["judged"] == 156
    main("export", "halfway", "--to", "csv", "--out", "again.csv")
    # Another processor may differ in a probability's last digit.
    assert rounded((earlier / "again.csv").read_text()) == rounded((earlier / "whole.csv").read_text())
    # The calibration was fitted to these labels.
    told = main("calibrate", "halfway", "ratings.csv", "--json").json
    fitted = json.loads((earlier / "calibration.json").read_text())
    assert (told["judge"], told["before"]["n"], told["before"]["queries"]) == (fitted["judge"], 156, 20)
    assert told["temperature"] == pytest.approx(fitted["temperature"], rel=1e-3)


def test_a_fine_tuned_judge_labels_as_it_did(main, earlier):
    main("label", "lessons.csv", "--judge", "adapter", "--limit", "6", "--out", "run")
    main("export", "run", "--to", "jsonl", "--out", "run.jsonl")
    # Without its calibration it would be 0.26, 0.16, 0.58.
    assert [row["probabilities"] for row in lines(earlier / "run.jsonl")] == [
        pytest.approx(shares, abs=2e-3)
        for shares in (
            *((0.33213, 0.33272, 0.33515), (0.33240, 0.33276, 0.33484), (0.33289, 0.33278, 0.33433)),
            *((0.33328, 0.33285, 0.33387), (0.33374, 0.33272, 0.33354), (0.33340, 0.33290, 0.33369)),
        )
    ]


def test_a_fine_tuning_that_was_killed_goes_on(main, earlier):
    if __version__ != "0.1.1":
        assert f"toolkit: 0.1.1 → {__version__}" in main(*FINETUNE, "--out", "teaching", code=2).err
        return
    done = main(*FINETUNE, "--out", "adapter", "--json").json
    assert done["created"] == "2026-11-29T12:12:35Z", "what is done is not done again"
    gone_on = main(*FINETUNE, "--out", "teaching", "--json")
    # It was killed after its fourth step, and looks at the validation queries every third.
    assert re.findall(r"step (\d+):", gone_on.err) == ["6", "9", "12", "15", "18"]
    looks = [(look["step"], look["training_loss"]) for look in gone_on.json["training"]["looks"]]
    assert looks == [
        (look["step"], pytest.approx(look["training_loss"], rel=1e-2)) for look in done["training"]["looks"]
    ]
