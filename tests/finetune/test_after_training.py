"""What becomes of a training's held-out queries: its own calibration, and figures that do not count what it learned."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import in_process
from finetune_fixtures import rated_rows, write_quick, write_rated
from hypothesis import given
from hypothesis import strategies as st
from judgment_files import as_rated, put

from finetune.config import load_config
from finetune.job import TrainingJob, prepare
from finetune.targets import targets
from finetune.training_set import build_lessons
from judge.engines.fake import FakeTokenizer
from judge.pairs.stage import Source
from judge.ratings.layout import RatingsLayout
from judge.ratings.rated import RatingsFile
from judge.run.seen import NOTHING, Seen, keep_seen, query_keys, read_seen, words_key, write_seen
from judge.run.store import Run
from judge.words.prompt import PromptBuilder
from judge.words.similar import query_groups
from relevance_judge.publishing import agreement

LABELS = "SELECT grade, expected_grade FROM labels ORDER BY row"
HALF = {"calibration": 0.5, "features": ["overlap"], "objective": "quadratic_kappa"}


@pytest.fixture(scope="module")
def halved(tiny_base, tmp_path_factory):
    """A judge that learned from 5 queries of 12, and what the training printed."""
    folder = tmp_path_factory.mktemp("halved")
    given = [write_rated(folder / "ratings.csv"), "--config", write_quick(folder / "quick.yaml", **HALF)]
    merge = ["--merge", folder / "merged"]
    told = in_process("finetune", *given, "--base", tiny_base, "--out", folder / "ours", *merge, "--json")
    assert told.code == 0, told.err
    return folder, told.json


@pytest.fixture
def labelled(main, halved, rated_file, tmp_path):
    main("label", rated_file, "--judge", halved[0] / "ours", "--calibration", "none", "--out", "run")
    return tmp_path / "run"


def some_rows(path: Path, out: Path, wanted):
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    kept = [row for row in rows if wanted(words_key(row["query"]))]
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(kept)
    return len(kept)


@pytest.mark.slow
def test_a_training_fits_its_own_blend_as_judge_calibrate_would(main, halved, labelled, rated_file, tmp_path):
    folder, told = halved
    seen = json.loads((folder / "ours" / "seen.json").read_text())
    assert told["training"]["queries"] == {"train": 5, "validation": 1, "calibration": 6}
    blend = told["blend"]["blend"]
    assert [feature["name"] for feature in blend["features"]] == ["judge", "overlap"]
    assert told["calibration"]["blend"] is None
    # Ratings of the queries it calibrated with, given to `judge calibrate`, say the same: validation's one is left out.
    calibrated = {words_key(row["query"]) for row in rated_rows()} & {*seen["held_out"]}
    for key in calibrated:
        count = some_rows(rated_file, tmp_path / "six.csv", (calibrated - {key}).__contains__)
        again = main(
            *("calibrate", labelled, "six.csv", "--features", "overlap", "--objective", "quadratic_kappa"),
            *("--out", "again.json", "--overwrite", "--json"),
        ).json
        assert again["after"]["n"] == count
        if again["blend"] and np.allclose(again["blend"]["cuts"], blend["cuts"], atol=1e-3):
            break
    else:
        pytest.fail("no six of the held-out queries give the training's own blend")
    # Its labels go through it, merged or not.
    for name in ("ours", "merged"):
        main("label", rated_file, "--judge", folder / name, "--out", tmp_path / f"by-{name}")
        manifest = json.loads((tmp_path / f"by-{name}" / "run.json").read_text())
        assert {"near": None} | manifest["calibration"]["blend"] == blend
        assert json.loads((tmp_path / f"by-{name}" / "seen.json").read_text()) == seen | {"products": []}
        # What was labelled without it gets it afterwards.
        main("label", rated_file, "--judge", folder / name, "--calibration", "none", "--out", f"own-{name}")
        main("calibrate", f"own-{name}", "--apply", folder / name / "blend.json", "--out", f"applied-{name}")
        one, other = (Run(tmp_path / f"{how}-{name}").query(LABELS) for how in ("by", "applied"))
        assert [*map(list, one)] == [pytest.approx(list(row)) for row in other]
    assert main("calibrate", "own-ours", "--apply", folder / "merged" / "blend.json", "--out", "x", code=2)


@pytest.mark.slow
def test_what_a_judge_learned_from_neither_calibrates_nor_flatters_it_unsaid(main, labelled, rated_file, tmp_path):
    seen = json.loads((labelled / "seen.json").read_text())
    learned = some_rows(rated_file, tmp_path / "learned.csv", {*seen["learned"]}.__contains__)
    others = some_rows(rated_file, tmp_path / "others.csv", {*seen["held_out"]}.__contains__)
    found = main("calibrate", labelled, rated_file, "--out", "all.json", "--json").json
    assert (found["learned"], found["after"]["n"]) == (learned, others)
    main("calibrate", labelled, "others.csv", "--out", "others.json")
    numbers = [json.loads((tmp_path / name).read_text()) for name in ("all.json", "others.json")]
    assert [numbers[0][key] for key in ("temperature", "bias")] == [numbers[1][key] for key in ("temperature", "bias")]
    refused = main("calibrate", labelled, "learned.csv", "--out", "none.json", code=2)
    assert f"{learned}" in refused.err
    assert not (tmp_path / "none.json").exists()

    compared = main("agree", rated_file, "--run", labelled, "--json").json
    assert (compared["learned"], compared["n"]) == (learned, learned + others)
    assert str(learned) in main("agree", rated_file, "--run", labelled, "--report", "page.html").out
    assert compared["learned_note"] in (tmp_path / "page.html").read_text()
    unseen = main("agree", "others.csv", "--run", labelled, "--json").json
    assert (unseen["learned"], unseen["learned_note"]) == (0, None)

    # Runs that are made of it know as much.
    main("calibrate", labelled, "--apply", "others.json", "--out", "again")
    assert main("agree", "learned.csv", "--run", "again", "--json").json["learned"] == learned
    # A run of an earlier version does not say: nothing is left out, and that is said.
    (labelled / "seen.json").unlink()
    unknown = main("calibrate", labelled, rated_file, "--out", "unknown.json", "--json")
    assert (unknown.json["learned"], unknown.json["after"]["n"]) == (0, learned + others)
    assert "learned" in unknown.err


@pytest.mark.slow
def test_a_judge_is_given_a_blend_afterwards(main, halved, labelled, rated_file, tmp_path):
    ours = shutil.copytree(halved[0] / "ours", tmp_path / "ours")
    own = (ours / "judge.json").read_bytes()
    (ours / "blend.json").unlink()
    options = ["--adapter", ours, "--features", "overlap", "--objective", "quadratic_kappa", "--out", "blend.json"]
    form = main("calibrate", labelled, rated_file, *options, "--json").json["form"]
    assert form in ("blend", "cut points")
    assert (ours / "blend.json").read_bytes() == (tmp_path / "blend.json").read_bytes()
    assert (ours / "judge.json").read_bytes() == own
    # A temperature and biases take its place.
    main("calibrate", labelled, rated_file, "--adapter", ours, "--out", "plain.json")
    assert not (ours / "blend.json").exists()
    assert (ours / "judge.json").read_bytes() != own


@pytest.mark.slow
def test_what_a_merged_judge_saw_is_known_of_what_is_trained_on_it(halved, rated_file, guideline, tmp_path):
    before, config = read_seen(halved[0] / "ours"), load_config().changed(least_per_grade=1, device="cpu")
    source = Source(rated_file, grades={"0": 0, "1": 1, "2": 2})

    def seen(base):
        return prepare(TrainingJob(RatingsFile(source), guideline, str(base), config)).training_set.seen

    # All ratings are of queries that it learned from or held out, and stay where they were.
    assert seen(halved[0] / "merged") == before
    # One of an earlier version does not say.
    silent = shutil.copytree(halved[0] / "merged", tmp_path / "silent", ignore=shutil.ignore_patterns("seen.json"))
    assert seen(silent).unknown


@pytest.mark.slow
def test_runs_of_a_merged_judge_that_does_not_say_what_it_saw_say_that(main, halved, rated_file, tmp_path):
    silent = shutil.copytree(halved[0] / "merged", tmp_path / "silent", ignore=shutil.ignore_patterns("seen.json"))
    main("label", rated_file, "--judge", silent, "--calibration", "none", "--out", "run")
    assert "learned" in main("calibrate", "run", rated_file, "--out", "one.json").err
    main("calibrate", "run", "--apply", "one.json", "--out", "again")
    for name in ("run", "again"):
        found = main("agree", rated_file, "--run", name, "--json").json
        assert (found["learned"], found["learned_known"]) == (0, False)
        assert "not known" in found["learned_note"]
        assert not agreement(Run(tmp_path / name), rated_file, RatingsLayout()).learned_known


def test_a_query_is_learned_from_in_whatever_spelling():
    seen = Seen(learned=(words_key("Wireless  Mouse"),), held_out=(words_key("desk"),))
    assert seen.learned_from(["wireless mouse", "WIRELESS MOUSE", "desk", "lamp", ""]) == [
        True,
        True,
        False,
        False,
        False,
    ]
    # Where a plural stands next to it, both are one query.
    assert seen.learned_from(["wireless mouses", "wireless mouse"]) == [True, True]
    assert Seen().learned_from(["desk"]) == [False]
    # Nor does it have to stand there, where the training noted what spellings share.
    noted = Seen(learned=tuple(query_keys("Wireless  Mouse")))
    others = ["wireless mouses", "mouse, wireless", "wirelessmouse", "mouse", "wired mouse"]
    assert noted.learned_from(others) == [True, True, True, False, False]


@given(
    st.lists(st.sampled_from(["red", "reds", "lamp", "lamps", "-", "table", "tables", "", "Réd"]), max_size=3),
    st.lists(st.sampled_from(["red", "reds", "lamp", "lamps", "!", "table", "tables", "", "Réd"]), max_size=3),
    st.sampled_from([" ", ""]),
)
def test_what_counts_as_one_query_within_a_file_does_so_across_files(words, others, blank):
    one, other = " ".join(words), blank.join(others)
    same = len(set(query_groups([one, other]))) == 1
    assert Seen(learned=tuple(query_keys(one))).learned_from([other]) == [same]


def test_a_training_notes_what_other_spellings_share(tmp_path, guideline):
    def built(queries, seen=NOTHING):
        rows = "".join(f"{query},{query}-{n},Lamp {n},{n}\n" for query in queries for n in range(3))
        rated = as_rated(put(tmp_path / "r.csv", "query,candidate_id,title,grade\n" + rows), guideline, tmp_path)
        shares = targets([item.votes for item in rated], guideline.values, "distribution")
        config = load_config().changed(least_per_grade=1, validation=0.2, calibration=0.2, seed=2 * (seen is NOTHING))
        return build_lessons(rated, shares, PromptBuilder(guideline, FakeTokenizer()), config, seen).seen

    kinds = ("lamp", "kettle", "chair", "sofa", "table", "mirror", "drawer", "carpet", "pillow", "blanket")
    one = {f"red {kind}": f"{kind}s red" for kind in kinds}
    seen = built(one)
    # The next training holds out what this one did, whatever its file calls it, and nothing that this one learned from.
    after = built(one.values(), seen)
    parts = [
        [query for query, other in one.items() if words_key(query) in before and words_key(other) in now]
        for before, now in ((seen.held_out, after.held_out), (seen.learned, after.learned))
    ]
    assert [len(part) for part in parts] == [4, 6]
    # A spelling that an earlier training held out is no longer unseen where another one was learned from.
    known = next(query for query in one if words_key(query) in seen.learned)
    both = seen.joined(query_keys(known), (), ())
    assert words_key(one[known]) in set(built(one.values(), both).learned) - set(after.held_out)


def test_what_one_judge_of_several_does_not_say_stays_unknown(tmp_path):
    for name, seen in (("a", Seen(learned=("1",))), ("b", Seen(learned=("2",), unknown=True))):
        (tmp_path / name).mkdir()
        write_seen(tmp_path / name, seen)
    (tmp_path / "base").mkdir()
    for sources, unknown in ((["a", "base"], False), (["a", "b"], True), (["b"], True)):
        keep_seen(tmp_path, [tmp_path / source for source in sources])
        assert read_seen(tmp_path).unknown is unknown
        assert read_seen(tmp_path).joined(["3"], (), ()).unknown is unknown
    keep_seen(tmp_path, [tmp_path / "a", tmp_path / "base"], unknown=True)
    assert read_seen(tmp_path) == Seen(learned=("1",), unknown=True)


def test_a_feature_that_is_none_is_refused_before_the_ratings_are_read(main, rated_file, quick):
    refused = main("finetune", rated_file, "--config", quick(features=["price"]), "--out", "ours", code=2)
    assert "features" in refused.err
