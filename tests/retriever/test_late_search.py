"""Search by late interaction: exact, against the library's MaxSim, over all products or over another's shortlist."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mining_fixtures import write_csv
from retriever_fixtures import KINDS, MATERIALS

from judge.errors import InputError, ModelError
from judge.search.rankings import read_ranking
from retriever import late_search
from retriever.late_search import LateModel, find_late, max_similarities
from retriever.start import find_start

PRODUCTS = [(f"{m}-{k}", f"{m} {k} of our house") for m in MATERIALS for k in KINDS]
TEXTS = [text for _, text in PRODUCTS]
ASKED = [("q1", "wool scarf"), ("q2", "steel"), ("q3", "glass lamp house")]
WORDS = [words for _, words in ASKED]


@pytest.fixture(scope="session")
def late(tiny_encoder, tmp_path_factory):
    """A late-interaction model's folder, untrained."""
    folder = tmp_path_factory.mktemp("late") / "late"
    find_start(str(tiny_encoder), late=True).build("cpu").save_pretrained(str(folder), create_model_card=False)
    return folder


@pytest.fixture
def files(tmp_path):
    write_csv(tmp_path / "catalogue.csv", ("candidate_id", "title"), PRODUCTS)
    write_csv(tmp_path / "queries.csv", ("query_id", "query"), ASKED)
    gold = [(q, words, key, 2 * (key.split("-")[0] in words)) for q, words in ASKED for key, _ in PRODUCTS]
    write_csv(tmp_path / "gold.csv", ("query_id", "query", "candidate_id", "grade"), gold)
    return ("--catalogue", "catalogue.csv", "--queries", "queries.csv")


def test_maxsim_by_hand():
    # Two queries of two tokens and of one; a document of two tokens, (.8, .6) and (1, 0), and one of (0, 1).
    # The first: best cosines 1 and .6, and 0 and 1. The second, (0, 1): .6, and 1.
    queries = np.array([[1, 0], [0, 1], [0, 1]], np.float16), np.array([2, 1])
    documents = np.array([[0.8, 0.6], [1, 0], [0, 1]], np.float16), np.array([2, 1])
    wanted = [[(1 + 0.6) / 2, (0 + 1) / 2], [0.6, 1]]
    assert max_similarities(queries, documents) == pytest.approx(np.array(wanted), abs=1e-3)


def drawn(lengths):
    lengths = np.array(lengths, np.int64)
    return np.random.default_rng(0).normal(size=(lengths.sum(), 4)).astype(np.float16), lengths


@given(
    asked=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    said=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    cells=st.integers(1, 200),
)
@settings(max_examples=25)
def test_few_cosines_at_once_give_the_same_scores(asked, said, cells):
    queries, documents = drawn(asked), drawn(said)
    whole = max_similarities(queries, documents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(late_search, "CELLS", cells)
        assert max_similarities(queries, documents) == pytest.approx(whole, abs=1e-5)


def test_cosines_of_all_tokens_are_never_in_memory_together(monkeypatch):
    # 1,600 x 800 tokens are 5 MB of cosines, 20,000 of them 80 kB; the scores take 40 kB.
    queries, documents = drawn([8] * 200), drawn([16] * 50)
    monkeypatch.setattr(late_search, "CELLS", 20_000)
    tracemalloc.start()
    try:
        max_similarities(queries, documents)
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def test_scores_are_those_of_the_library(late, tmp_path, monkeypatch):
    from sentence_transformers import MultiVectorEncoder

    model = MultiVectorEncoder(str(late), device="cpu")
    asked, said = model.encode_query(WORDS), model.encode_document(TEXTS)
    sums = model.similarity(asked, said).cpu().numpy()
    wanted = sums / np.array([len(each) for each in asked])[:, None]
    (found,) = LateModel(find_start(str(late), late=True), tmp_path / "a").scores(WORDS, TEXTS)
    assert found == pytest.approx(wanted, abs=2e-3)
    # In blocks of three texts, and two queries at a time: the same.
    monkeypatch.setattr(late_search, "BLOCK", 3)
    monkeypatch.setattr(late_search, "CELLS", 2 * len(TEXTS))
    tables = [*LateModel(find_start(str(late), late=True), tmp_path / "b").scores(WORDS, TEXTS)]
    assert [len(table) for table in tables] == [2, 1]
    assert np.concatenate(tables) == pytest.approx(found, abs=2e-3)


def test_a_killed_encoding_resumes_and_damage_is_encoded_again(late, tmp_path, monkeypatch):
    monkeypatch.setattr(late_search, "BLOCK", 6)
    real, encoded = LateModel.encode, []

    def dying(self, texts, kind):
        if kind == "document":
            encoded.append(len(texts))
            if len(encoded) == 2:
                raise ModelError("killed")
        return real(self, texts, kind)

    monkeypatch.setattr(LateModel, "encode", dying)
    model = LateModel(find_start(str(late), late=True), tmp_path)
    with pytest.raises(ModelError):
        list(model.scores(WORDS, TEXTS))
    (whole,) = model.scores(WORDS, TEXTS)
    assert encoded == [6, 6, 6, 4], "the first block was on disk"
    part = sorted((tmp_path / "tokens").glob("*/part-*.npz"))[1]
    part.write_bytes(part.read_bytes()[:100])
    (again,) = model.scores(WORDS, TEXTS)
    assert encoded == [6, 6, 6, 4, 6]
    assert np.array_equal(whole, again)
    assert not list(model.scores([], TEXTS))


def test_two_searches_of_the_same_texts_share_their_blocks(late, tmp_path, monkeypatch):
    monkeypatch.setattr(late_search, "BLOCK", 3)
    real, encoded = LateModel.encode, []
    start = find_start(str(late), late=True)

    def counting(self, texts, kind):
        if kind == "document":
            encoded.append(len(texts))
        return real(self, texts, kind)

    monkeypatch.setattr(LateModel, "encode", counting)
    with ThreadPoolExecutor(2) as pool:
        searches = [pool.submit(lambda: list(LateModel(start, tmp_path).scores(WORDS, TEXTS))) for _ in range(2)]
        (first,), (second,) = (search.result() for search in searches)
    assert np.array_equal(first, second)
    assert sum(encoded) == len(TEXTS)


def test_a_disk_without_room_is_told_before_the_disk_is_full(late, tmp_path, monkeypatch):
    monkeypatch.setattr(late_search.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(InputError, match="cannot be written"):
        list(LateModel(find_start(str(late), late=True), tmp_path).scores(WORDS, TEXTS))
    assert not list(tmp_path.glob("tokens/*/*.npz"))


def test_weights_are_read_for_their_digest_once(late, files, main, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    digested = []
    monkeypatch.setattr("retriever.start.file_digest", lambda path: digested.append(path) or path.name)
    main("search", late, *files, "--shortlist", "bm25", "--out", "short.run")
    assert len([path for path in digested if path.suffix == ".safetensors"]) == 1


def test_a_shortlist_is_ranked_again_with_the_same_scores(late, files, main, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    said = main("search", late, *files, "--out", "all.run", "--json").json
    assert (said["name"], said["results"]) == ("late", len(ASKED) * len(PRODUCTS))
    main("search", "bm25", *files, "--out", "words.run")
    main("search", late, *files, "--shortlist", "bm25", "--out", "short.run")
    every, short, words = (read_ranking(tmp_path / f"{name}.run") for name in ("all", "short", "words"))
    for query, _ in ASKED:
        scores = dict(zip(every.by_query[query], every.scores[query], strict=True))
        assert set(short.by_query[query]) == set(words.by_query[query])
        assert short.by_query[query] == [key for key in every.by_query[query] if key in words.by_query[query]]
        assert list(short.scores[query]) == pytest.approx([scores[key] for key in short.by_query[query]], abs=2e-3)
    # Wool things alone share a word with "wool scarf", besides scarves: the shortlist is shorter than the catalogue.
    assert len(short.by_query["q1"]) == 7


def test_it_is_evaluated_as_others_are(late, files, main, tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVANCE_JUDGE_CACHE", str(tmp_path / "cache"))
    options = ("--gold", "gold.csv", "--catalogue", "catalogue.csv", "--against", "bm25", "--json")
    found = main("evaluate", late, *options).json
    assert sorted(system["name"] for system in found["systems"]) == ["bm25", "late"]
    assert all(system["figures"]["full"]["ndcg@10"]["value"] is not None for system in found["systems"])


def test_what_cannot_be_is_refused(late, files, main, tiny_encoder):
    for arguments in (
        (tiny_encoder, "--shortlist", "bm25"),  # no late-interaction model
        (late, "--shortlist", late),
        (late, "--shortlist", "nothing.run"),
        (late, "--approximate"),
    ):
        assert main("search", *arguments, *files, "--out", "x.run", code=2).err
    assert find_late("bm25") is None
    assert find_late(str(tiny_encoder)) is None
