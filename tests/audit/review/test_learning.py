"""The queue learns: a random sample to decide on, what it promises, and what the next reviews are expected to find."""

import csv
import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from audit.engagement import advice, checks
from audit.engagement.borne_out import BorneOut
from audit.review.queue import read_queue
from audit.review.reviewing import Review
from judge.calibration.promise import read_sample
from judge.errors import InputError
from judge.run.store import Run

HEAD = ["query", "candidate_id", "position", "impressions", "clicks", "add_to_carts"]


@pytest.fixture
def audited(main, tmp_path):
    """A run of 240 pairs, each tenth of them labelled wrong, with flags."""
    with (tmp_path / "grades.csv").open("w") as grades, (tmp_path / "counts.csv").open("w") as counts:
        labels, rows = csv.writer(grades), csv.writer(counts)
        labels.writerow(["query", "candidate_id", "grade"])
        rows.writerow(HEAD)
        for i in range(240):
            good = i % 2
            labels.writerow([f"query {i // 8}", i, 2 * (good if i % 10 else 1 - good)])
            for place in (1, 2):
                rows.writerow([f"query {i // 8}", i, place, 600, 9 + 140 * good, 1 + 40 * good])
    main("import", "grades.csv", "--out", "run")
    main("audit", "run", "counts.csv", "--out", "audit")
    return tmp_path


def decide(folder, sheet, wrong):
    """Fill a sheet in as one who knows, and have it read."""
    with (folder / sheet).open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row["decision"] = str(2 - int(row["grade"])) if wrong(row) else "keep"
    with (folder / sheet).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return rows


def planted(row):
    return int(row["candidate_id"].strip("'")) % 10 == 0


def test_a_sample_is_decided_on_and_promises_a_rate(main, audited):
    before = main("queue", "run", "--to", "csv", "--out", "queue.csv", "--json").json
    assert before["reviewed"] == 0
    assert before["promises"] == []
    assert 0 < before["next_wrong"] <= before["next_pairs"] <= 50
    main("queue", "run", "--to", "csv", "--out", "sample.csv", "--calibration-sample", 40)
    rows = decide(audited, "sample.csv", planted)
    sample = read_sample(audited / "run")
    assert {(row["query"], row["candidate_id"]) for row in rows} == {
        (query, candidate) for query, candidate in ((f"query {int(c) // 8}", c) for _, c in sample.pairs)
    }
    assert any(not row["types"] for row in rows), "pairs just below the flags are drawn too"
    # Another size would choose a sample after decisions: refused. The same goes on with what is left of it.
    assert (
        "drawn already" in main("queue", "run", "--to", "csv", "--out", "x.csv", "--calibration-sample", 30, code=2).err
    )
    main("decide", "run", "sample.csv", "--author", "Ana")
    told = main("queue", "run", "--to", "csv", "--out", "z.csv", "--calibration-sample", 40).out
    assert "40 of the 40 pairs of the sample decided already" in told
    after = main("queue", "run", "--to", "csv", "--out", "queue.csv", "--overwrite", "--json").json
    assert after["reviewed"] == 40
    assert after["wrong"] == sum(map(planted, rows))
    assert [each["budget"] for each in after["promises"]] == [0.1, 0.2, 0.3, 0.5]
    for each in after["promises"]:
        assert each["pairs"] == 0 or each["bound"] <= each["budget"]
    assert (
        main("queue", "run", "--to", "csv", "--out", "y.csv", "--calibration-sample", 40, "--json").json["pairs"] == 0
    )
    # The same events, audited again, rank the pairs alike: the report has what was promised.
    again = main("audit", "run", "counts.csv", "--out", "audit", "--overwrite", "--json").json
    assert again["rate"]["promises"] == after["promises"]
    # Fewer events rank them otherwise: the sample is of no use then, which is said, and another is drawn.
    lines = (audited / "counts.csv").read_text().splitlines(keepends=True)
    (audited / "fewer.csv").write_text("".join(lines[:400]))
    main("audit", "run", "fewer.csv", "--out", "fewer", "--overwrite")
    done = main("queue", "run", "--to", "csv", "--out", "w.csv", "--calibration-sample", 40)
    assert "since a sample of 40 was drawn" in done.err
    assert read_sample(audited / "run") != sample


def test_an_audit_advises_what_can_be_done_next(main, audited, monkeypatch):
    command = ("audit", "run", "counts.csv", "--out", "audit", "--overwrite")
    page = audited / "audit" / "report.html"
    # 24 flags at most are fewer decisions than a sample of 150: they are decided one by one.
    assert "judge review run" in main(*command).out
    assert "judge review run" in page.read_text()
    # Programs are told as much as people.
    assert "judge review run" in json.loads((audited / "audit" / "audit.json").read_text())["next_step"]
    assert "judge review run" in main(*command, "--json").json["next_step"]
    # Were they many, a random sample tells how many are false. 480 rows of 240 pairs: at most half of these are drawn.
    monkeypatch.setattr(advice, "DECISIONS", 10)
    assert "--calibration-sample 10`" in main(*command).out
    assert "--calibration-sample 10" in page.read_text()
    # Drawn and not decided yet, it is gone on with; another size would be refused.
    main("queue", "run", "--to", "csv", "--out", "sample.csv", "--calibration-sample", 24)
    for decided in (0, 12):
        told = main(*command).out
        assert f"{decided} of the 24 pairs" in told
        assert "--calibration-sample 24`" in told
        if not decided:
            rows = decide(audited, "sample.csv", lambda row: False)
            with (audited / "half.csv").open("w", newline="") as stream:
                writer = csv.DictWriter(stream, rows[0])
                writer.writeheader()
                writer.writerows(rows[:12])
            main("decide", "run", "half.csv", "--author", "Ana")
    # What a check advises names no other size, which would be refused.
    for failed in (checks._borne(BorneOut(0.1, 0.1)), checks._expected(np.ones(9), np.zeros(9), None)):
        assert not failed.holds
        assert not re.search(r"--calibration-sample \d", failed.fix)
    # Fewer are expected wrong than the labels claim, and it fails all the same: it says what it fails by.
    assert "more than 25% is too many" in checks._expected(np.full(9, 0.35), np.full(9, 0.38), None).words
    assert "too many" not in checks._expected(np.full(9, 0.25), np.full(9, 0.38), None).words
    # All labels were right: nothing is promised, and no other sample is asked for.
    main("decide", "run", "sample.csv", "--author", "Ana")
    told = main(*command).out
    assert "calibration-sample" not in told
    assert "no rate of false flags can be promised" in told


def test_the_queue_learns_from_each_decision(main, audited):
    main("queue", "run", "--to", "csv", "--out", "queue.csv", "--limit", 6)
    before = main("queue", "run", "--to", "csv", "--out", "all.csv", "--json").json
    decide(audited, "queue.csv", lambda row: False)
    main("decide", "run", "queue.csv", "--author", "Ana")
    after = main("queue", "run", "--to", "csv", "--out", "all.csv", "--overwrite", "--json").json
    assert (after["reviewed"], after["wrong"]) == (6, 0)
    assert after["model_wrong"] > 0
    assert after["next_wrong"] / max(after["next_pairs"], 1) < before["next_wrong"] / before["next_pairs"]


def test_a_link_to_a_pair_without_a_flag_opens_its_query_to_be_decided_on_as_a_whole(audited):
    # The report links to the likeliest wrong label of a query that is
    # doubted as a whole, whose flags are held back.
    run = Run.open(audited / "run")
    flagged = {item.key for item in read_queue(run)}
    review = Review(run, "Ana")
    query = next(iter(flagged))[0]
    of_query = [pair for pair in _pairs(audited / "run") if pair[0] == query]
    wanted = next(pair for pair in of_query if pair not in flagged)
    state = review.state(review.find(*wanted))
    seen = []
    while state["item"]["query_id"] == query and len(seen) < len(of_query):
        item = state["item"]
        seen.append((item["query_id"], item["candidate_id"]))
        state = review.decide({"query_id": query, "candidate_id": item["candidate_id"], "decision": "keep"})
    assert seen[0] == wanted
    assert sorted(seen) == sorted(of_query), "the whole query, each pair once"
    assert state["settled"] == len(of_query)
    with pytest.raises(InputError):
        review.find(query, "another")


def _pairs(run):
    table = pq.read_table(run / "evidence.parquet", columns=["query_id", "candidate_id"])
    return [tuple(row.values()) for row in table.to_pylist()]
