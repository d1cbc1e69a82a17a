"""What a blend knows of a pair: the judge's expected grade, the encoder's cosine, and how many of the query's words the
candidate has. Each is a property of the pair alone, so that shards and resumed runs agree. Cosine and overlap are of
the texts without copies of the query that sellers add to be found: see `judge.words.overlap.unstuffed`."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from judge.errors import InputError, ModelError
from judge.models.encoder import EMBEDDED_ENCODER, Encoder, find_encoder
from judge.records import Pair
from judge.words.overlap import covered, unstuffed

Floats = npt.NDArray[np.float64]
JUDGE, COSINE, OVERLAP = "judge", "cosine", "overlap"
FEATURES = (JUDGE, COSINE, OVERLAP)
"""What a blend may be of."""
TITLE = "title"
HEAD = 160
"""Characters of a candidate that are encoded, as many as a small judge reads. On ESCI and Chorus more did not order
pairs better, and took up to a third of the time of judging."""
DECIMALS = 5
"""Of a cosine: what is beyond depends on which texts went through together."""


def check_features(names: Sequence[str]) -> tuple[str, ...]:
    """Features in a fixed order, the judge always among them: alone it has cut points, with others it is blended.

    Raises:
        InputError: One is unknown.
    """
    for name in names:
        if name not in FEATURES:
            raise InputError(f"no feature {name!r}", f"name some of {', '.join(FEATURES)}")
    return tuple(name for name in FEATURES if name in (JUDGE, *names))


def blend_encoder(names: Sequence[str], digest: str | None = None, name: str = EMBEDDED_ENCODER) -> Encoder | None:
    """The encoder, where some features need one; found, not loaded.

    Raises:
        ModelError: It is not installed, or is not the one whose digest is given.
    """
    if COSINE not in names:
        return None
    try:
        found = find_encoder(name)
    except ModelError as error:
        hint = f"install it: {error.hint}; or blend without it: --features {OVERLAP}"
        raise ModelError(f"the feature {COSINE!r} needs the encoder: {error.message}", hint) from None
    if digest is not None and found.digest != digest:
        raise ModelError(
            f"the calibration was fitted with another encoder than {found.name} ({digest[:8]}, not {found.digest[:8]})",
            "install the one that it was fitted with, or calibrate again",
        )
    return found


def measure(
    names: Sequence[str],
    pairs: Sequence[Pair],
    chances: Floats,
    grades: Sequence[int],
    cosine: Callable[[Sequence[Pair]], Floats] | None = None,
) -> Floats:
    """Features of pairs, shape (N, F), in the order of `names`; NaN where a query has no words to look for.

    Args:
        names: Some of "judge", "cosine" and "overlap".
        pairs: N pairs with their texts.
        chances: The judge's own probabilities, shape (N, K).
        grades: The guideline's values, ascending.
        cosine: Gives the cosines of pairs, shape (N,); needed for "cosine". See `cosines`.
    """
    found, pairs = np.empty((len(pairs), len(names))), [_unstuffed(pair) for pair in pairs]
    for at, name in enumerate(names):
        if name == JUDGE:
            found[:, at] = chances @ np.asarray(grades, dtype=np.float64)
        elif name == OVERLAP:
            found[:, at] = [covered(pair.query, pair.candidate) for pair in pairs]
        else:
            assert cosine is not None
            found[:, at] = cosine(pairs)
    return found


def _unstuffed(pair: Pair) -> Pair:
    texts = {name: unstuffed(pair.query, text, at_end=name == TITLE) for name, text in pair.candidate.items()}
    return replace(pair, candidate=texts)


def cosines(pairs: Sequence[Pair], encoder: Encoder) -> Floats:
    """The cosine of each pair's query and candidate, shape (N,)."""
    if not pairs:
        return np.empty(0)
    queries = {text: at for at, text in enumerate(dict.fromkeys(pair.query for pair in pairs))}
    texts = [candidate_text(pair) for pair in pairs]
    documents = {text: at for at, text in enumerate(dict.fromkeys(texts))}
    asked, told = encoder.encode(list(queries), "query"), encoder.encode(list(documents))
    left = asked[[queries[pair.query] for pair in pairs]].astype(np.float64)
    right = told[[documents[text] for text in texts]].astype(np.float64)
    return np.asarray(np.round((left * right).sum(axis=1), DECIMALS))


def candidate_text(pair: Pair) -> str:
    """A candidate's fields as one text, its title first."""
    names = sorted(pair.candidate, key=lambda name: name != TITLE)
    return ". ".join(pair.candidate[name] for name in names)[:HEAD]
