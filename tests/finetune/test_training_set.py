"""What a judge is taught from: layouts of ratings, targets, splits, batches, and input that is refused early."""

import json
from collections import Counter
from dataclasses import replace
from difflib import SequenceMatcher

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.probes.perturbations import HARMLESS, ORDER, OTHER_SCRIPT
from finetune.adversarial import ORDERS, PRAISE, add_adversarial_text, query_noise
from finetune.config import as_yaml, load_config
from finetune.loop import cooled_loss, learning_rate
from finetune.synthetic_pairs import make_pairs
from finetune.targets import targets
from finetune.training_set import TrainingExample, batches, build_lessons, check_grades, deal, pieces, split, weights
from judge.engines.fake import FakeTokenizer
from judge.errors import InputError
from judge.pairs.stage import Source
from judge.ratings.rated import RatingsFile, read_rated
from judge.records import query_key
from judge.words.overlap import words
from judge.words.prompt import PromptBuilder
from judge.words.similar import query_groups

GRADES = {"0": 0, "1": 1, "2": 2}


def read(path, guideline, tmp_path, **more):
    raters = more.pop("raters", ())
    return read_rated(RatingsFile(Source(path, grades=GRADES, **more), raters), guideline, tmp_path).rated


def write(path, text):
    path.write_text(text)
    return path


def test_columns_of_raters_and_rows_of_raters_are_the_same_ratings(tmp_path, guideline):
    wide = write(
        tmp_path / "wide.csv", "query,candidate_id,title,ann,ben\nlamp,1,Lamp,2,1\nlamp,2,Chair,0,\nsofa,1,Lamp,,0\n"
    )
    long = write(
        tmp_path / "long.csv",
        "query,candidate_id,title,rater,grade\nlamp,1,Lamp,ann,2\nlamp,1,Lamp,ben,1\nlamp,2,Chair,ann,0\n"
        "sofa,1,Lamp,ben,0\n",
    )
    expected = [("lamp", "1", {"ann": 2, "ben": 1}), ("lamp", "2", {"ann": 0}), ("sofa", "1", {"ben": 0})]
    for rated in (read(wide, guideline, tmp_path, raters=["ann", "ben"]), read(long, guideline, tmp_path)):
        assert sorted((r.pair.query, r.pair.candidate_id, dict(r.votes)) for r in rated) == expected
    assert [dict(r.votes) for r in read(long, guideline, tmp_path, raters=["ben"])] == [{"ben": 1}, {"ben": 0}]
    named = write(tmp_path / "named.csv", long.read_text().replace("rater", "who"))
    found = read(named, guideline, tmp_path, mapping={"rater": ["who"]})
    assert dict(found[0].votes) == {"ann": 2, "ben": 1}


def test_two_grades_of_a_pair_without_raters_contradict_each_other(tmp_path, guideline):
    path = write(tmp_path / "r.csv", "query,candidate_id,title,grade\nlamp,1,Lamp,2\nlamp,1,Lamp,1\n")
    with pytest.raises(InputError, match="had another grade in row 1"):
        read(path, guideline, tmp_path)


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
        read(path, guideline, tmp_path, raters=raters)
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
    path = write(tmp_path / "r.jsonl", "".join(json.dumps({**row, "candidate_id": n}) + "\n" for n in range(3)))
    with pytest.raises(InputError, match=r"row 1 .*'rater': is an object"):
        read(path, guideline, tmp_path)


def test_a_candidate_that_the_catalogue_lacks_is_counted_once(tmp_path, guideline):
    path = write(tmp_path / "r.csv", "query,candidate_id,grade\nlamp,1,2\nlamp,9,1\n")
    catalogue = write(tmp_path / "c.csv", "candidate_id,title\n1,Lamp\n")
    source = Source(path, catalogue, grades=GRADES, skip_bad_rows=True)
    assert read_rated(RatingsFile(source), guideline, tmp_path).left_out == {"not_in_catalogue": 1}


def test_cells_and_rows_left_out_are_counted_once_by_what_is_wrong_with_them(tmp_path, guideline):
    path = write(
        tmp_path / "r.csv",
        "query,candidate_id,title,ann,ben\nlamp,1,Lamp,2,1\nlamp,2,Chair,?,?\nsofa,3,,0,1\n,4,Bed,1,1\nsofa,5,Bed,,\n",
    )
    source = Source(path, grades=GRADES, skip_bad_rows=True)
    found = read_rated(RatingsFile(source, ["ann", "ben"]), guideline, tmp_path)
    assert [dict(r.votes) for r in found.rated] == [{"ann": 2, "ben": 1}]
    assert found.left_out == {"unknown_grade": 2, "no_text": 1, "empty_query": 1}


def test_targets_by_hand():
    votes = [{"ann": 2, "ben": 1}, {"ann": 0}, {"ann": 2, "ben": 2, "cleo": 1}]
    assert targets(votes, (0, 1, 2), "distribution").tolist() == [[0, 0.5, 0.5], [1, 0, 0], [0, 1 / 3, 2 / 3]]
    assert targets(votes, (0, 1, 2), "majority").tolist() == [[0, 0.5, 0.5], [1, 0, 0], [0, 0, 1]]
    with pytest.raises(InputError, match="needs pairs with several raters"):
        targets([{"ann": 2}], (0, 1, 2), "dawid-skene")


def test_dawid_skene_trusts_who_agrees_with_the_others():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 300)
    votes = [{"ann": int(t), "ben": int(t), "cleo": int(rng.integers(0, 3))} for t in truth]
    # One honest rater against one who guesses: a vote would be a tie.
    votes[0] = {"ann": 2, "cleo": 0}
    posterior = targets(votes, (0, 1, 2), "dawid-skene")
    assert posterior.sum(axis=1) == pytest.approx(1)
    assert posterior[0, 2] > 0.95
    assert (posterior.argmax(axis=1)[1:] == truth[1:]).all()


@given(st.integers(3, 60), st.integers(0, 50))
def test_no_query_is_in_two_parts_and_none_is_lost(count, seed):
    config = load_config().changed(seed=seed, validation=0.2, calibration=0.2)
    queries = [f"q{i % count}" for i in range(3 * count)]
    parts = split(queries, config)
    assert set(parts) == set(queries)
    assert {"train", "validation", "calibration"} == set(parts.values())
    assert split(queries[::-1], config) == parts


def test_a_query_of_several_ids_is_in_one_part(tmp_path, guideline):
    rows = "".join(f"{n},lamp {n // 4},{n},Lamp,{n % 3}\n" for n in range(80))
    rated = read(write(tmp_path / "r.csv", "query_id,query,candidate_id,title,grade\n" + rows), guideline, tmp_path)
    shares = targets([item.votes for item in rated], guideline.values, "distribution")
    training_set = build_lessons(rated, shares, PromptBuilder(guideline, FakeTokenizer()), load_config())
    parts = [
        {e.query for e in part} for part in (training_set.train, training_set.validation, training_set.calibration)
    ]
    assert [len(part) for part in parts] == [15, 2, 3]
    assert len(set.union(*parts)) == 20


def test_pairs_are_tokenised_a_block_at_a_time_and_none_is_lost(tmp_path, guideline, monkeypatch):
    rows = "".join(f"lamp {n // 4},{n},Lamp {n},{n % 3}\n" for n in range(80))
    rated = read(write(tmp_path / "r.csv", HEAD + rows), guideline, tmp_path)
    shares = targets([item.votes for item in rated], guideline.values, "distribution")
    builder = PromptBuilder(guideline, FakeTokenizer())
    whole = build_lessons(rated, shares, builder, load_config())
    sizes, build = [], builder.build
    monkeypatch.setattr(builder, "build", lambda pairs: sizes.append(len(pairs)) or build(pairs))
    monkeypatch.setattr("finetune.training_set.BLOCK", 30)
    assert build_lessons(rated, shares, builder, load_config()) == whole
    assert sizes == [30, 30, 20]


def test_a_query_of_several_spellings_is_in_one_part(tmp_path, guideline):
    names = [f"{'Lamp  ' if n % 2 else 'lamp '}{n // 4}{'!' if n % 4 == 3 else ''}" for n in range(80)]
    rows = "".join(f"{name},{n},Lamp,{n % 3}\n" for n, name in enumerate(names))
    rated = read(write(tmp_path / "r.csv", "query,candidate_id,title,grade\n" + rows), guideline, tmp_path)
    shares = targets([item.votes for item in rated], guideline.values, "distribution")
    queries, part = deal(rated, shares, guideline, load_config())
    assert len(set(queries)) == 20
    assert len(set(zip(queries, part.tolist(), strict=True))) == 20
    # A query of one spelling keeps the name that it always had: so do the parts of ratings without variants.
    assert query_groups(["lamp", "Sofa bed", "sofa BED"])[0] == query_key("lamp")
    assert query_groups(["Sofa bed", "sofa BED"]) == [min(query_key("Sofa bed"), query_key("sofa BED"))] * 2


def test_a_query_in_the_plural_or_written_as_one_word_is_in_one_part():
    given = ["laptop", "Laptops", "smart watch", "smartwatch", "watches smart", "watch", "head set", "réd head-sets"]
    one, two, three, four, five, six, seven, eight = query_groups(given)
    assert one == two == min(query_key("laptop"), query_key("Laptops"))
    # The third and fourth have the same letters. The fifth stays apart: its plural is in -es.
    assert three == four
    assert len({one, three, five, six, seven, eight}) == 6
    # Through a third: the same words as one, the same letters as the other.
    assert len(set(query_groups(["table lamps", "lamp, table", "tablelamp"]))) == 1


def test_words_of_other_scripts_are_told_apart_by_their_marks():
    given = ["दाल", "दिल", "दूल", "पेन", "पान", "ガラス", "カラス", "ベッド", "ペット", "ヘッド"]
    assert len(set(query_groups(given))) == len(given)
    assert len(set(query_groups(["Café-Tasse", "cafe tasse"]))) == 1


def test_held_out_products_are_counted_where_seen_in_training_and_make_no_synthetic_pairs(tmp_path, guideline):
    """Of 40 queries each has a product of its own, and one that it shares with its neighbour."""
    head = "query,candidate_id,title,brand,category,grade\n"
    product = "{key},Thing {key},Brand{brand},Kind {kind}"
    rows = ""
    for n in range(40):
        for m, key in enumerate((f"own{n}", f"shared{n // 2}", f"other{n}")):
            rows += (
                f"query {chr(97 + n % 20) * (2 + n // 20)},"
                + product.format(key=key, brand=n % 5, kind=n % 3)
                + f",{m}\n"
            )
    rated = read(write(tmp_path / "r.csv", head + rows), guideline, tmp_path)
    shares = targets([item.votes for item in rated], guideline.values, "distribution")
    config = load_config().changed(synthetic_pairs=200, adversarial=0, query_noise=0)
    builder = PromptBuilder(guideline, FakeTokenizer())
    made = []
    build = builder.build
    builder.build = lambda pairs: made.extend(pairs) or build(pairs)
    training_set = build_lessons(rated, shares, builder, config)
    _, part = deal(rated, shares, guideline, config)
    taught = {item.pair.candidate_id for item, there in zip(rated, part == "train", strict=True) if there}
    held = [item.pair.candidate_id for item, there in zip(rated, part == "train", strict=True) if not there]
    assert 0 < training_set.seen_products == sum(key in taught for key in held) < len(held)
    warm = {pair.candidate_id for pair in made if pair.query_id == "catalogue"}
    assert warm
    assert warm <= taught - {*held}


def test_a_grade_that_nobody_gave_is_missed_whatever_the_targets(guideline):
    votes = [{"ann": 2 * (n % 2), "ben": 2 * (n % 2)} for n in range(20)]
    for how in ("distribution", "majority", "dawid-skene"):
        with pytest.raises(InputError, match=r"grade 1 \(moderately relevant\) has 0 training pairs"):
            check_grades(targets(votes, guideline.values, how), guideline, 5)


def test_weights_even_out_grades_and_queries():
    shares = np.eye(3)[[2, 2, 2, 0]]
    config = load_config().changed(balance_grades=1.0)
    # Three of grade 2 weigh as much as one of grade 0; the mean is 1.
    assert weights(shares, ["a"] * 4, config) == pytest.approx([2 / 3] * 3 + [2])
    config = load_config().changed(balance_queries=1.0)
    assert weights(shares, ["a", "a", "a", "b"], config) == pytest.approx([2 / 3] * 3 + [2])
    assert weights(shares, ["a", "a", "a", "b"], load_config().changed(balance_grades=0.0)) == pytest.approx([1] * 4)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=80), st.integers(1, 9), st.integers(1, 200))
def test_batches_and_pieces_hold_every_example_once(lengths, size, tokens):
    examples = [TrainingExample(str(i), (0,) * length, (1.0,)) for i, length in enumerate(lengths)]
    found = batches(examples, size, (0, 1))
    assert sorted(e.query for b in found for e in b) == sorted(e.query for e in examples)
    assert len(found) == -(-len(examples) // size)
    assert batches(examples, size, (0, 1)) == found
    for piece in pieces(examples, tokens):
        assert len(piece) * max(len(e.tokens) for e in piece) <= tokens or len(piece) == 1
    assert sum(len(piece) for piece in pieces(examples, tokens)) == len(examples)


def test_the_learning_rate_rises_then_falls_to_a_tenth():
    config = load_config().changed(learning_rate=1.0, warmup=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert rates[10] == 1.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] == pytest.approx(0.1, abs=0.001)


def test_a_look_does_not_punish_what_calibration_corrects():
    """Right three times of four: the best probability is 3/4, whatever the scores' size, and its loss the entropy."""
    truth = np.eye(2)[[0, 0, 0, 1]]
    scores = np.log([[0.9, 0.1]] * 4)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert cooled_loss(scores, truth) == pytest.approx(entropy, abs=1e-3)
    assert cooled_loss(2 * scores, truth) == pytest.approx(cooled_loss(scores, truth), abs=1e-3)
    # Scores in the wrong order are no better for being cold: never below an even guess.
    assert cooled_loss(scores[:, ::-1], truth) > np.log(2)


def test_every_key_is_commented_and_the_resolved_copy_reads_back(tmp_path):
    from importlib.resources import files

    lines = files("finetune").joinpath("lora.yaml").read_text().splitlines()
    keys = [i for i, line in enumerate(lines) if line and line[0].islower()]
    assert len(keys) == len(type(load_config()).model_fields)
    for at in keys:
        above = next(line for line in reversed(lines[:at]) if not line or line.startswith("#"))
        assert above.startswith("#"), f"{lines[at]} has no comment"
    config = load_config().changed(fields={"title": 40}, seed=7)
    assert load_config(write(tmp_path / "c.yaml", as_yaml(config))) == config


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
        load_config(write(tmp_path / "c.yaml", text))


def test_fields_and_budgets_are_narrowed_and_the_words_stay(guideline):
    config = load_config().changed(fields={"brand": 5, "title": 30})
    found = config.narrowed(guideline)
    assert [(f.name, f.tokens) for f in found.fields] == [("brand", 5), ("title", 30)]
    assert (found.query_tokens, found.candidate_tokens, found.clauses) == (24, 64, guideline.clauses)
    same = load_config().changed(query_tokens=0, candidate_tokens=0).narrowed(guideline)
    assert same.digest == guideline.digest
    with pytest.raises(InputError, match="has no field 'flavour'"):
        load_config().changed(fields={"flavour": 3}).narrowed(guideline)


def test_hostile_texts_come_into_the_share_asked_for_and_no_vote_moves(tmp_path, guideline):
    rows = "".join(f"q{n},{n},Desk lamp {n},Warm light,{n % 3}\n" for n in range(400))
    path = write(tmp_path / "r.csv", "query,candidate_id,title,description,grade\n" + rows)
    rated = read(path, guideline, tmp_path)
    found = add_adversarial_text(rated, guideline, 0.25, 7)
    assert [(r.votes, r.pair.candidate_id, r.pair.query) for r in found] == [
        (r.votes, r.pair.candidate_id, r.pair.query) for r in rated
    ]
    changed = [(new, old) for new, old in zip(found, rated, strict=True) if new.pair != old.pair]
    assert 70 <= len(changed) <= 130, "a quarter of 400, four standard errors either way"
    for new, old in changed:
        differing = [name for name, text in new.pair.candidate.items() if text != old.pair.candidate[name]]
        assert len(differing) == 1, "one text, in which the old words stand around the new ones"
        name = differing[0]
        left = new.pair.candidate[name].split()
        for word in old.pair.candidate[name].split():
            left.remove(word)
        assert left
    assert add_adversarial_text(rated, guideline, 0.25, 7) == found, "the seed decides"
    assert add_adversarial_text(rated, guideline, 0.0, 7) == rated
    # An order names every grade, so that the number in it says nothing about the true one.
    texts = " ".join(text for r in add_adversarial_text(rated, guideline, 1.0, 7) for text in r.pair.candidate.values())
    assert all(f"Grade: {value}" in texts for value in guideline.values)


def test_queries_with_typing_errors_can_still_be_read(tmp_path, guideline):
    rows = "".join(f"q{n},desk lamp 40w,{n},Lamp,{n % 3}\n" for n in range(400))
    rated = read(write(tmp_path / "r.csv", "query_id,query,candidate_id,title,grade\n" + rows), guideline, tmp_path)
    found = query_noise(rated, 0.5, 7)
    assert [(r.votes, r.pair.candidate, r.pair.query_id) for r in found] == [
        (r.votes, r.pair.candidate, r.pair.query_id) for r in rated
    ]
    written = Counter(r.pair.query for r in found)
    assert 150 <= written["desk lamp 40w"] <= 250, "half of 400, five standard errors either way"
    assert {"DESK LAMP 40W", "Desk Lamp 40W"} < written.keys()
    for query in written.keys() - {"DESK LAMP 40W", "Desk Lamp 40W"}:
        first, second, size = query.split()
        assert (size, first[0], second[0]) == ("40w", "d", "l")
        assert SequenceMatcher(None, "desk lamp", f"{first} {second}").ratio() > 0.85
    assert query_noise(rated, 0.5, 7) == found, "the seed decides"
    [short] = query_noise([replace_query(rated[0], "tv 4k")], 1.0, 3)
    assert short.pair.query.lower() == "tv 4k", "nothing in it is long enough to misspell"


def replace_query(item, query):
    return replace(item, pair=replace(item.pair, query=query))


def test_what_is_taught_is_not_what_a_probe_asks():
    asked = {ORDER.casefold(), HARMLESS.casefold(), OTHER_SCRIPT.casefold()}
    for text in (*ORDERS, *PRAISE):
        assert all(text.casefold() not in probe and probe not in text.casefold() for probe in asked)


def test_synthetic_pairs_are_graded_by_how_they_were_made(tmp_path, guideline):
    lines = [f"q{n},{n},{c} {k},{c},Home > {k},{n % 3}" for n, (c, k) in enumerate(COLOURED)]
    head = "query,candidate_id,title,colour,category,grade"
    path = write(tmp_path / "r.csv", "\n".join([head, *lines]) + "\n")
    rated = read(path, guideline, tmp_path)
    made = make_pairs(rated, guideline, 60, 0)
    assert len(made) == 60
    for item in made:
        colour, kind = item.pair.query.split()
        product = item.pair.candidate
        same_kind, same_colour = product["category"].lower().endswith(kind), product["colour"] == colour
        assert item.votes["catalogue"] == (2 if same_kind and same_colour else 1 if same_kind else 0)
    assert [i.pair.query for i in make_pairs(rated, guideline, 60, 0)] == [i.pair.query for i in made]
    # Of another kind, and yet with the query's colour where it has been looked for: by chance it would be one in three.
    others = [i.pair for i in made if not i.votes["catalogue"]]
    assert sum(pair.query.split()[0] == pair.candidate["colour"] for pair in others) > len(others) / 2
    plain = [
        item for item in rated if item.pair.candidate["colour"] == "red" and "Lamp" in item.pair.candidate["title"]
    ]
    with pytest.raises(InputError, match="several categories"):
        make_pairs(plain, guideline, 60, 0)


def test_a_product_with_all_of_the_querys_words_is_no_worse_warm_answer(tmp_path, guideline):
    """Every query is of its product's brand or colour and of words of category and title, and others have them, too."""
    head = "query,candidate_id,title,brand,colour,category,grade"
    lines = [
        "q1,1,Wedges,Acme,Black,Shoes > Black platforms & wedges,0",
        "q2,2,Wedges,Acme,Black/Black,Shoes > Black platforms & wedges,1",
        "q3,3,Wedges Acme,Acme,black,Sale > Sale,2",
        "q4,4,Sale of black platforms and wedges by Acme,Other,Red,Sale > Platforms,0",
        "q5,5,Lamp,Lux,White,Home > Lamps,0",
        "q6,6,Lamp,Lux,Cream,Home > Lamps,0",
    ]
    rated = read(write(tmp_path / "r.csv", "\n".join([head, *lines]) + "\n"), guideline, tmp_path)
    made = make_pairs(rated, guideline, 600, 0)
    worse = [item for item in made if item.votes["catalogue"] < 2]
    assert {item.votes["catalogue"] for item in worse} == {0, 1}
    for item in worse:
        asked = {*words(item.pair.query)}
        assert asked - {word for text in item.pair.candidate.values() for word in words(text)}, item
    # Black/Black is no other colour than Black.
    assert {item.pair.candidate_id for item in worse if item.votes["catalogue"] == 1} == {"5", "6"}


COLOURED = [(colour, kind) for colour in ("red", "blue", "green") for kind in ("Lamp", "Chair", "Cup")]
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
    write(tmp_path / "r.csv", text)
    refused = main("finetune", "r.csv", "--out", "ours", *more, code=2)
    assert message in refused.err
    assert "fix:" in refused.err
    assert not (tmp_path / "ours").exists()


def test_a_directory_with_something_else_is_left_alone(main, tmp_path, rated_file, tiny_base, quick):
    (tmp_path / "ours").mkdir()
    write(tmp_path / "ours" / "letter.txt", "dear")
    refused = main("finetune", rated_file, "--base", tiny_base, "--out", "ours", "--config", quick(), code=2)
    assert "already holds something else" in refused.err
    write(tmp_path / "ours" / "training.json", "{")
    refused = main("finetune", rated_file, "--base", tiny_base, "--out", "ours", "--config", quick(), code=2)
    assert "training.json: is damaged" in refused.err


@pytest.mark.parametrize("taken", ["file", "full", "ours"])
def test_a_place_for_the_merged_model_that_is_taken_is_refused_before_anything_is_taught(taken, main, tmp_path):
    write(tmp_path / "file", "dear")
    (tmp_path / "full").mkdir()
    write(tmp_path / "full" / "letter.txt", "dear")
    write(tmp_path / "r.csv", HEAD + "lamp,1,Lamp,2\n")
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
    write(tmp_path / "other.yaml", json.dumps(other))
    refused = main(*given, "--guideline", "other.yaml", "--config", quick(), code=2)
    assert "label '10' is 2 tokens" in refused.err
