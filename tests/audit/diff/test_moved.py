"""What moved between two runs, by cause, segment and brute force."""

from itertools import product

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.agreement.segments import facets as facets_of_units
from audit.diff.diff import diff
from audit.diff.shifted import facets
from audit.diff.versions import RunVersion, open_sides
from judge.labelling.importing import import_run
from judge.pairs.stage import Source
from judge.ratings.panel import Unit
from judge.run.store import Run
from judge.words.guideline import load_guideline

SHOP = ROOT / "examples" / "shop"


def test_what_differs_is_named(main, tmp_path):
    pairs = ("label", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--engine", "fake", "--limit", "30")
    main(*pairs, "--out", "a")
    words = (ROOT / "guidelines" / "three-level.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(
        words.replace('version: "1"', 'version: "2"').replace("version: 1", "version: 2")
    )
    main(*pairs, "--guideline", "mine.yaml", "--out", "b")
    found = main("diff", "a", "b", "--json").json
    assert {"guideline", "guideline_digest"} == {part["name"] for part in found["parts"]}
    main(*pairs, "--out", "c")
    same = main("diff", "a", "c")
    assert "the same judge, words and input" in same.out
    assert "100.0%" in same.out


def test_an_unfinished_run_has_rows_without_labels(main, tmp_path):
    pairs = ("label", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--engine", "fake", "--limit", "30")
    for name in "ab":
        main(*pairs, "--out", name)
    for part in (tmp_path / "b" / "labels").iterdir():
        part.unlink()
    found = main("diff", "a", "b", "--json").json
    assert found["outcomes"][-1] == "not labelled yet"
    assert sum(row[-1] for row in found["matrix"]) == found["both"] == 30
    assert found["exports"][0]["after"] == 0


def test_segments_are_those_of_the_agreement_report(main, tmp_path):
    main("label", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--engine", "fake", "--out", "a")
    main("import", SHOP / "grades.csv", "--out", "b")
    runs = [Run(tmp_path / name) for name in "ab"]
    scale = {value: value for value in (0, 1, 2)}
    db = open_sides(tmp_path, [RunVersion(runs[0], "a", scale), RunVersion(runs[1], "b", scale)])
    labels = ", ".join(facets(db).values())
    ours = {(q, c): row for q, c, *row in db.execute(f"SELECT key, candidate_id, {labels} FROM paired").fetchall()}
    units = []
    for query_id, query, candidate_id, locale, candidate in runs[0].query(
        "SELECT query_id, query, candidate_id, locale, candidate FROM pairs"
    ):
        known = {"locale": locale, "category": candidate["category"] or ""}
        length = str(sum(len(text or "") for text in candidate.values()))
        units.append(Unit(query_id, query, candidate_id, {**known, "text_length": length}))
    theirs = facets_of_units(units)
    assert len(units) == len(ours) == 429
    for place, facet in enumerate(facets(db)):
        for unit, label in zip(units, theirs[facet], strict=True):
            assert ours[unit.query_id, unit.candidate_id][place] == label
    db.close()


def test_a_segment_that_moved_more_than_others_is_found(main, tmp_path):
    rng = np.random.default_rng(3)
    rows = [(f"q{q}", f"word {q}" if q % 2 else f"many more words {q}", f"p{c}") for q in range(40) for c in range(6)]
    for name, moves in (("a", False), ("b", True)):
        with (tmp_path / f"{name}.csv").open("w") as stream:
            stream.write("query_id,query,candidate_id,grade\n")
            for query_id, query, candidate in rows:
                rise = moves and len(query.split()) > 3 and rng.random() < 0.6
                stream.write(f"{query_id},{query},{candidate},{1 + rise}\n")
        main("import", f"{name}.csv", "--out", name)
    first = main("diff", "a", "b", "--json").json["segments"][0]
    assert (first["facet"], first["n"]) == ("query length", 120)
    assert first["value"] in ("4 words or more", "2 words")
    assert first["q"] < 0.001
    longer = next(s for s in main("diff", "a", "b", "--json").json["segments"] if s["value"] == "4 words or more")
    assert longer["difference"] == pytest.approx(longer["moved"] / 120)
    assert longer["shift"] == pytest.approx(longer["moved"] / 120)


GRADES = st.dictionaries(
    st.tuples(st.integers(0, 2), st.integers(0, 4)), st.sampled_from([0, 1, 2, None]), min_size=1, max_size=15
).filter(lambda found: any(grade is not None for grade in found.values()))


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(GRADES, GRADES)
def test_counts_are_those_of_brute_force(tmp_path_factory, one, other):
    folder = tmp_path_factory.mktemp("diff")
    runs = []
    for name, grades in (("a", one), ("b", other)):
        path = folder / f"{name}.csv"
        lines = [f"q{q},query {q},p{c},text,{'' if g is None else g}" for (q, c), g in grades.items()]
        path.write_text("\n".join(["query_id,query,candidate_id,title,grade", *lines]) + "\n")
        run = Run(folder / name)
        with run.writing():
            source = Source(path, grades={str(value): value for value in (0, 1, 2)}, need_text=False)
            import_run(run, source, load_guideline())
        runs.append(run)
    found, _ = diff(*runs)
    assert found.both == len(one.keys() & other.keys())
    assert (found.only_a, found.only_b) == (len(one.keys() - other.keys()), len(other.keys() - one.keys()))
    # The words name a query where no id is in both; here they name the same queries.
    assert found.moved == sum(one[key] != other[key] for key in one.keys() & other.keys())
    assert sum(map(sum, found.matrix)) == found.both
    for effect in found.exports:
        sets = [_records(effect.export, grades) for grades in (one, other)]
        assert (effect.before, effect.after) == (len(sets[0]), len(sets[1]))
        assert (effect.added, effect.removed) == (len(sets[1] - sets[0]), len(sets[0] - sets[1]))


def _records(export, grades):
    known = {key: grade for key, grade in grades.items() if grade is not None}
    if export == "graded rows":
        return set(known)
    if not export.startswith("triplets"):
        return set(known.items())
    high, low = map(int, export.removeprefix("triplets ").split(">"))
    return {(p, n) for p, n in product(known, known) if p[0] == n[0] and (known[p], known[n]) == (high, low)}


def test_rows_that_were_not_read_as_pairs_stop_no_comparison(main, tmp_path):
    (tmp_path / "a.csv").write_text("query_id,query,candidate_id,grade\nq1,lamp,p1,2\nq2,,p2,0\nq1,lamp,,0\n")
    (tmp_path / "b.csv").write_text("query_id,query,candidate_id,grade\nq1,lamp,p1,1\nq2,scarf,p2,0\n")
    for name in "ab":
        main("import", f"{name}.csv", "--out", name, "--skip-bad-rows")
    found = main("diff", "a", "b", "--json").json
    assert (found["both"], found["moved"], found["only_b"]) == (1, 1, 1)
    assert found["mean_shift"] == -1
