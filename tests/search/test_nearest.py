"""Vectors on disk and the search over them: exact, resumable, cached by what made them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judge.errors import InputError, ModelError
from judge.models.encoder import FakeEncoder
from judge.search import encoding, exact
from judge.search.approximate import nearest_by_index
from judge.search.encoding import encoded
from judge.search.nearest import nearest


@settings(max_examples=60)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 50), st.integers(0, 3), st.integers(0, 2**31))
def test_the_nearest_are_those_of_a_full_sort(queries, documents, k, held, seed):
    rng = np.random.default_rng(seed)
    # Whole numbers: many scores are equal, and exact.
    q, d = rng.integers(-2, 3, (queries, 3)), rng.integers(-2, 3, (documents, 3))
    sizes = exact.QUERIES, exact.DOCUMENTS, exact.HELD
    exact.QUERIES, exact.DOCUMENTS, exact.HELD = 4, 7, held
    try:
        found = list(exact.blocks(q.astype(np.float16), d.astype(np.float16), k))
    finally:
        exact.QUERIES, exact.DOCUMENTS, exact.HELD = sizes
    places, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
    full = (q @ d.T).astype(np.float32)
    wanted = np.argsort(-full, axis=1, kind="stable")[:, :k]
    assert places.tolist() == wanted.tolist()
    assert scores.tolist() == np.take_along_axis(full, wanted, 1).tolist()


TEXTS = [f"product {number}" for number in range(30)]


class Killed(FakeEncoder):
    calls = 0

    def encode(self, texts, kind="document"):
        Killed.calls += 1
        if Killed.calls == 3:
            raise ModelError("killed")
        return super().encode(texts, kind)


def test_a_killed_encoding_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "BLOCK", 7)
    Killed.calls = 0
    with pytest.raises(ModelError):
        encoded(TEXTS, Killed(), "document", cache=tmp_path)
    seen = []
    vectors = encoded(TEXTS, Killed(), "document", cache=tmp_path, progress=seen.append)
    assert seen == [21, 28, 30]  # two blocks of seven were on disk
    assert np.allclose(vectors, FakeEncoder().encode(TEXTS), atol=1e-3)
    assert vectors.dtype == np.float16
    again = encoded(TEXTS, Killed(), "document", cache=tmp_path, progress=seen.append)
    assert len(seen) == 3
    assert np.array_equal(vectors, again)


def test_other_texts_another_encoder_and_damage_are_encoded_anew(tmp_path):
    encoded(TEXTS, FakeEncoder(), "document", cache=tmp_path)
    for texts, encoder, kind in (
        (TEXTS[::-1], FakeEncoder(), "document"),
        (TEXTS, FakeEncoder(digest="other"), "document"),
        (TEXTS, FakeEncoder(), "query"),
    ):
        seen = []
        encoded(texts, encoder, kind, cache=tmp_path, progress=seen.append)
        assert seen == [30]
    assert len([path for path in (tmp_path / "encodings").iterdir() if path.is_dir()]) == 4
    for path in (tmp_path / "encodings").glob("*/vectors.f16"):
        path.write_bytes(path.read_bytes()[:-2])
    seen = []
    encoded(TEXTS, FakeEncoder(), "document", cache=tmp_path, progress=seen.append)
    assert seen == [30]


@pytest.mark.parametrize(
    ("folder", "search"), [("encodings", nearest), ("searches", nearest), ("indexes", nearest_by_index)]
)
def test_a_cache_that_cannot_be_written_is_told(tmp_path, folder, search):
    (tmp_path / folder).write_text("not a folder", encoding="utf-8")
    with pytest.raises(InputError, match=folder) as refused:
        search(["product"], TEXTS, FakeEncoder(), 3, cache=tmp_path)
    assert "RELEVANCE_JUDGE_CACHE" in refused.value.hint
