"""A run renewed, and a run that grows: nothing is judged twice, and the labels are those of judging everything anew."""

import random
import re

import pyarrow.parquet as pq
import pytest
from refresh_fixtures import labels, rows_of, write

from judge.engines.fake import FakeEngine
from judge.errors import RunError
from judge.labelling.inherit import judged_in
from judge.labelling.refresh import read_report
from judge.run.decisions import Decision, Decisions, Verdict
from judge.run.store import Run


def edited(rows):
    """Of 400 pairs 20 with another title, 5 gone, 6 new, and all in another order."""
    draw = random.Random(0)
    rows = [dict(row) for row in rows]
    for row in draw.sample(rows, 20):
        row["title"] += " changed"
    rows = rows[5:]
    rows += [{"query": f"new {n % 2}", "candidate_id": f"n{n}", "title": "t"} for n in range(6)]
    draw.shuffle(rows)
    return rows


def label_both(main, tmp_path):
    """Label a file, and anew what it became by edits; the first one's rows."""
    before = rows_of()
    write(tmp_path / "old.csv", before)
    write(tmp_path / "new.csv", edited(before))
    main("label", "old.csv", "--engine", "fake", "--out", "old")
    main("label", "new.csv", "--engine", "fake", "--out", "anew")
    return before


def test_a_refreshed_run_equals_a_full_rerun_and_asks_only_for_what_changed(main, tmp_path, asked):
    before = label_both(main, tmp_path)
    anew = len(asked) - len(before)
    asked.clear()
    report = main("refresh", "old", "--pairs", "new.csv", "--engine", "fake", "--out", "new", "--json").json
    assert labels(tmp_path / "new") == labels(tmp_path / "anew")
    # Of the 20 changed pairs some are among the 5 that are gone; 6 are new.
    changed = report["refresh"]["changed"]
    assert len(asked) == changed + 6 <= 0.1 * anew
    assert 15 <= changed <= 20
    found = {name: report["refresh"][name] for name in ("unchanged", "inherited", "new", "vanished")}
    assert found == {"unchanged": 395 - changed, "inherited": 395 - changed, "new": 6, "vanished": 5}
    assert report["done"]
    manifest = Run(tmp_path / "new").manifest
    assert manifest.judged == changed + 6
    assert manifest.fingerprint == Run(tmp_path / "old").manifest.fingerprint


def test_decisions_stay_are_reopened_and_are_closed(main, tmp_path):
    rows = rows_of(3, 4)
    write(tmp_path / "old.csv", rows)
    main("label", "old.csv", "--engine", "fake", "--out", "old")
    ids = [(row["query_id"], row["candidate_id"]) for row in labels(tmp_path / "old")]
    more = {"author": "ann", "reason": "looked", "time": "2026-01-01T00:00:00Z", "source": "review"}
    decided = [
        Decision(query_id=q, candidate_id=c, verdict=Verdict.CHANGE, grade=2, label=0, **more) for q, c in ids[:3]
    ]
    Decisions(tmp_path / "old").append(decided)
    rows[1]["title"] = "another"
    write(tmp_path / "new.csv", [row for at, row in enumerate(rows) if at != 2])
    for _ in range(2):  # the second time changes nothing
        report = main("refresh", "old", "--pairs", "new.csv", "--engine", "fake", "--out", "new", "--json").json
    counts = {name: value for name, value in report["refresh"].items() if name.startswith("decisions_")}
    assert counts == {"decisions_kept": 1, "decisions_reopened": 1, "decisions_closed": 1}
    there = Decisions(tmp_path / "new")
    assert [each.pair for each in there] == [ids[0], ids[1], ids[1]]
    assert set(there.settled()) == {ids[0]}
    reopened = there.latest()[ids[1]]
    assert (reopened.verdict, reopened.source, reopened.by_people) == (Verdict.UNSURE, "refresh", False)
    # A judge may decide what was reopened, which it may not where people are unsure.
    weighed = {"verdict": Verdict.CHANGE, "grade": 1, "posterior": {1: 1.0}, "source": "judge"}
    there.append([Decision(query_id=ids[1][0], candidate_id=ids[1][1], **{**more, **weighed})])
    assert there.latest()[ids[1]].grade == 1


def test_what_is_decided_again_counts_until_the_pair_changes_again(main, tmp_path):
    pairs = "query,candidate_id,title\nlamp,1,{}\n"
    (tmp_path / "p.csv").write_text(pairs.format("first"))
    main("label", "p.csv", "--engine", "fake", "--out", "a")
    (pair,) = [(row["query_id"], row["candidate_id"]) for row in labels(tmp_path / "a")]

    def decide(run, day):
        sheet = f"query_id,candidate_id,verdict,grade,reason,time\n{pair[0]},1,change,2,,2026-01-0{day}T00:00:00Z\n"
        (tmp_path / "sheet.csv").write_text(sheet)
        return main("decide", run, "sheet.csv", "--author", "ann", "--json").json["decisions"]

    assert decide("a", 1) == 1
    for day, (old, new) in enumerate(("ab", "bc"), 2):
        (tmp_path / "p.csv").write_text(pairs.format(new))
        refresh = ("refresh", old, "--pairs", "p.csv", "--engine", "fake", "--out", new, "--json")
        assert main(*refresh).json["refresh"]["decisions_reopened"] == 1
        assert not Decisions(tmp_path / new).settled()
        # The same grade by the same person, who looked at the new text; refreshing once more takes none of it back.
        assert decide(new, day) == 1
        main(*refresh)
        assert set(Decisions(tmp_path / new).settled()) == {pair}
        assert decide(new, day) == 0


def test_a_run_refreshed_twice_keeps_its_lineage_and_asks_for_nothing(main, tmp_path, asked):
    write(tmp_path / "p.csv", rows_of(4, 4))
    main("label", "p.csv", "--engine", "fake", "--out", "a")
    asked.clear()
    main("refresh", "a", "--pairs", "p.csv", "--engine", "fake", "--out", "b")
    main("refresh", "b", "--pairs", "p.csv", "--engine", "fake", "--out", "c")
    assert not asked
    report = read_report(Run(tmp_path / "c"))
    assert (report.earlier, report.lineage) == (str(tmp_path / "b"), (str(tmp_path / "a"),))
    assert labels(tmp_path / "c") == labels(tmp_path / "a")
    main("refresh", "a", "--pairs", "p.csv", "--engine", "fake", "--out", "c", code=2)


def test_a_killed_refresh_goes_on_without_the_old_run_being_asked_again(main, tmp_path, asked, monkeypatch):
    label_both(main, tmp_path)
    monkeypatch.setattr("judge.labelling.writer.PART_SECONDS", 0.0)
    monkeypatch.setattr(FakeEngine, "block", 4)
    asked.clear()
    counted = FakeEngine.score

    def killed(self, prompts):
        if len(asked) > 10:
            raise KeyboardInterrupt
        return counted(self, prompts)

    arguments = ("refresh", "old", "--pairs", "new.csv", "--engine", "fake", "--out", "new")
    with monkeypatch.context() as patch:
        patch.setattr(FakeEngine, "score", killed)
        main(*arguments, code=130)
    assert 0 < Run(tmp_path / "new").labelled() < 396
    first = len(asked)
    main(*arguments)
    assert labels(tmp_path / "new") == labels(tmp_path / "anew")
    assert len(asked) < 2 * first + 26


def test_a_refresh_of_the_first_rows_goes_on_to_all_of_them(main, tmp_path, asked):
    label_both(main, tmp_path)
    asked.clear()
    refresh = ("refresh", "old", "--pairs", "new.csv", "--engine", "fake", "--out", "new")
    rows = [main(*refresh, *limit, "--json").json["rows"] for limit in (("--limit", "30"), ("--limit", "90"), ())]
    assert rows == [30, 90, 401]  # 400 less 5 that are gone, and 6 new
    report = read_report(Run(tmp_path / "new"))
    assert len(asked) == report.changed + report.new
    assert labels(tmp_path / "new") == labels(tmp_path / "anew")
    # What this run judged while it was small is its own; what it took over was judged in the old one.
    judged = [judged_in(tmp_path / "new", row["row"]) for row in labels(tmp_path / "new")]
    assert judged.count(str(tmp_path / "old")) == report.unchanged
    assert judged.count(None) == report.changed + report.new


def test_a_trace_says_in_which_run_a_label_was_judged(main, tmp_path):
    rows = rows_of(2, 2)
    write(tmp_path / "p.csv", rows)
    main("label", "p.csv", "--engine", "fake", "--out", "a")
    rows[0]["title"] = "changed"
    write(tmp_path / "p.csv", rows)
    main("refresh", "a", "--pairs", "p.csv", "--engine", "fake", "--out", "b")
    main("refresh", "b", "--pairs", "p.csv", "--engine", "fake", "--out", "c")
    told = {
        (run, row["candidate_id"]): main("trace", run, "query 0", row["candidate_id"], "--json").json["judged_in"]
        for run in "abc"
        for row in rows[:2]
    }
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    changed, same = rows[0]["candidate_id"], rows[1]["candidate_id"]
    assert [told[run, changed] for run in "abc"] == [None, None, b]
    assert [told[run, same] for run in "abc"] == [None, a, a]
    assert a in main("trace", "c", "query 0", same).out


def test_labels_that_do_not_say_where_they_were_judged_are_traced_and_taken_over(main, tmp_path, asked):
    rows = rows_of(2, 2)
    write(tmp_path / "p.csv", rows)
    main("label", "p.csv", "--engine", "fake", "--out", "a")
    refresh = ("--pairs", "p.csv", "--engine", "fake", "--json")
    main("refresh", "a", *refresh, "--out", "b")
    path = tmp_path / "b" / "inherited.parquet"
    held = pq.read_table(path)
    pq.write_table(held.drop_columns("judged_in").append_column("earlier_row", held["row"]), path)
    assert main("trace", "b", "query 0", "c0", "--json").json["judged_in"] is None
    asked.clear()
    assert main("refresh", "a", *refresh, "--out", "b").json["refresh"]["inherited"] == 4
    assert main("refresh", "b", *refresh, "--out", "c").json["refresh"]["inherited"] == 4
    assert not asked
    assert main("trace", "c", "query 0", "c0", "--json").json["judged_in"] == str(tmp_path / "b")


def test_labels_of_its_own_are_not_counted_as_kept_where_a_refresh_grows(main, tmp_path):
    write(tmp_path / "old.csv", rows_of(4, 5))
    write(tmp_path / "new.csv", rows_of(6, 5))
    main("label", "old.csv", "--engine", "fake", "--out", "old")
    refresh = ("refresh", "old", "--pairs", "new.csv", "--engine", "fake", "--out", "new", "--json")
    # Of 20 old pairs and 10 new ones, the first 25 are refreshed, then all: 5 are the new run's own by then.
    for limit in (("--limit", "25"), (), ()):
        found = main(*refresh, *limit).json["refresh"]
        assert (found["unchanged"], found["inherited"]) == (20, 20)


def test_a_difference_of_digests_fits_a_line(main, tmp_path):
    write(tmp_path / "p.csv", rows_of(2, 2))
    main("label", "p.csv", "--engine", "fake", "--out", "a")
    write(tmp_path / "p.csv", rows_of(2, 3))
    errors = main("label", "p.csv", "--engine", "fake", "--out", "a", code=2).err
    errors += main(
        "refresh", "a", "--pairs", "p.csv", "--guideline", "esci-four-level", "--engine", "fake", "--out", "b", code=2
    ).err
    assert "pairs:" in errors
    assert "guideline_digest:" in errors
    assert not re.search("[0-9a-f]{32}", errors)


def test_another_judge_or_peoples_grades_cannot_be_refreshed(main, tmp_path):
    write(tmp_path / "p.csv", rows_of(2, 2))
    main("label", "p.csv", "--engine", "fake", "--out", "a")
    other = ("--guideline", "esci-four-level")
    error = main("refresh", "a", "--pairs", "p.csv", "--engine", "fake", *other, "--out", "b", code=2).err
    assert "guideline: three-level 1 → esci-four-level 1" in error
    assert not (tmp_path / "b").exists()
    (tmp_path / "g.csv").write_text("query,candidate_id,title,grade\nlamp,1,x,2\n")
    main("import", "g.csv", "--out", "people")
    main("refresh", "people", "--pairs", "p.csv", "--engine", "fake", "--out", "b", code=2)


def test_failed_pairs_are_judged_again(main, tmp_path, asked, monkeypatch):
    write(tmp_path / "p.csv", rows_of(2, 3))
    score = FakeEngine._score
    monkeypatch.setattr(FakeEngine, "_score", lambda self, prompt: score(FakeEngine(fail="title 1 2"), prompt))
    main("label", "p.csv", "--engine", "fake", "--out", "a")
    monkeypatch.setattr(FakeEngine, "_score", score)
    asked.clear()
    found = main("refresh", "a", "--pairs", "p.csv", "--engine", "fake", "--out", "b", "--json").json
    assert (len(asked), found["refresh"]["unchanged"], found["refresh"]["inherited"]) == (1, 6, 5)
    assert found["status"]["graded"] == 6


def test_an_unfinished_run_is_not_refreshed(main, tmp_path):
    write(tmp_path / "p.csv", rows_of(2, 2))
    main("plan", "p.csv", "--engine", "fake", "--out", "a")
    main("refresh", "a", "--pairs", "p.csv", "--engine", "fake", "--out", "b", code=2)
    with pytest.raises(RunError):
        Run(tmp_path / "a").check_finished()
