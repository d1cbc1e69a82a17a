"""What a judge is fine-tuned on: targets, splits, batches, and texts that are made for it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judgment_files import as_rated, put

from finetune.config import load_config
from finetune.loop import cooled_loss, learning_rate
from finetune.targets import targets
from finetune.training_set import TrainingExample, batches, build_lessons, check_grades, deal, pieces, split, weights
from judge.engines.fake import FakeTokenizer
from judge.errors import InputError
from judge.records import query_key
from judge.words.prompt import PromptBuilder
from judge.words.similar import query_groups

HEAD = "query,candidate_id,title,grade\n"


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
    rated = as_rated(put(tmp_path / "r.csv", "query_id,query,candidate_id,title,grade\n" + rows), guideline, tmp_path)
    shares = targets([item.votes for item in rated], guideline.values, "distribution")
    training_set = build_lessons(rated, shares, PromptBuilder(guideline, FakeTokenizer()), load_config())
    parts = [
        {e.query for e in part} for part in (training_set.train, training_set.validation, training_set.calibration)
    ]
    assert [len(part) for part in parts] == [15, 2, 3]
    assert len(set.union(*parts)) == 20


def test_pairs_are_tokenised_a_block_at_a_time_and_none_is_lost(tmp_path, guideline, monkeypatch):
    rows = "".join(f"lamp {n // 4},{n},Lamp {n},{n % 3}\n" for n in range(80))
    rated = as_rated(put(tmp_path / "r.csv", HEAD + rows), guideline, tmp_path)
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
    rated = as_rated(put(tmp_path / "r.csv", "query,candidate_id,title,grade\n" + rows), guideline, tmp_path)
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
    rated = as_rated(put(tmp_path / "r.csv", head + rows), guideline, tmp_path)
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
    # Weights that ran away are told as such, and warn of nothing.
    assert np.isnan(cooled_loss(scores * np.nan, truth))
