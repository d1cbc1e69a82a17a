"""A run refreshed from one that moved, from itself, from a damaged one, and what is said of texts that it lacks."""

import json

import pyarrow.parquet as pq
from refresh_fixtures import rows_of, write


def label(main, tmp_path):
    write(tmp_path / "p.csv", rows_of(4, 4))
    main("label", "p.csv", "--engine", "fake", "--out", "a")
    return ("--pairs", "p.csv", "--engine", "fake", "--json")


def test_a_refresh_goes_on_where_the_old_run_was_moved(main, tmp_path, asked):
    refresh = label(main, tmp_path)
    main("refresh", "a", *refresh, "--out", "b", "--limit", "4")
    (tmp_path / "a").rename(tmp_path / "archive")
    found = main("refresh", "archive", *refresh, "--out", "b").json["refresh"]
    assert (found["earlier"], found["inherited"]) == (str(tmp_path / "archive"), 16)
    assert len(asked) == 16
    # Another run that was begun in the same second is none: the one that was refreshed is still there.
    told = json.loads((tmp_path / "archive" / "run.json").read_text())
    main("label", "p.csv", "--engine", "fake", "--out", "twin")
    twin = {**json.loads((tmp_path / "twin" / "run.json").read_text()), "created": told["created"]}
    (tmp_path / "twin" / "run.json").write_text(json.dumps(twin))
    assert "was refreshed from" in main("refresh", "twin", *refresh, "--out", "b", code=2).err


def test_a_run_is_not_refreshed_into_itself(main, tmp_path):
    refresh = label(main, tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for name in ("a", "link"):
        assert "the run that is refreshed" in main("refresh", "a", *refresh, "--out", name, code=2).err


def test_a_damaged_report_is_named(main, tmp_path):
    refresh = label(main, tmp_path)
    main("refresh", "a", *refresh, "--out", "b")
    (tmp_path / "b" / "refresh.json").write_text('{"earlier": "a"}')
    said = main("refresh", "a", *refresh, "--out", "b", code=2).err
    assert "refresh.json: is damaged (earlier_fingerprint is missing)" in said


def test_damaged_labels_that_were_taken_over_are_named(main, tmp_path):
    refresh = label(main, tmp_path)
    main("refresh", "a", *refresh, "--out", "b", "--limit", "4")
    path = tmp_path / "b" / "inherited.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    for command in (("refresh", "a", *refresh, "--out", "b"), ("refresh", "b", *refresh, "--out", "c", "--limit", "4")):
        assert "inherited.parquet: is damaged (no whole Parquet file)" in main(*command, code=2).err
    path.write_bytes(whole)
    pq.write_table(pq.read_table(path).drop_columns("position"), path)
    assert "inherited.parquet: has no column 'position'" in main("trace", "b", "query 0", "c0", code=2).err


def test_a_recalibrated_run_is_not_refreshed_but_the_one_before_it(main, tmp_path):
    refresh = label(main, tmp_path)
    path = tmp_path / "a" / "run.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "parts": {**told["parts"], "recalibrated_from": "0" * 16}}))
    assert "--apply" in main("refresh", "a", *refresh, "--out", "b", code=2).err


def test_a_catalogue_that_lost_its_titles_is_told(main, tmp_path):
    (tmp_path / "p.csv").write_text("query,candidate_id,title,brand\nlamp,1,x,y\n")
    main("label", "p.csv", "--engine", "fake", "--out", "a")
    (tmp_path / "p.csv").write_text("query,candidate_id,producttext,brand\nlamp,1,x,y\n")
    told = main("refresh", "a", "--pairs", "p.csv", "--engine", "fake", "--out", "b")
    assert "no title is read" in told.err
    assert "no title is read" in told.out


def test_of_a_part_of_the_input_no_pair_is_called_gone(main, tmp_path):
    refresh = label(main, tmp_path)[:-1]
    assert "pairs that are left out or gone" in main("refresh", "a", *refresh, "--out", "b", "--limit", "3").out
    assert "pairs that are gone" in main("refresh", "a", *refresh, "--out", "b").out
