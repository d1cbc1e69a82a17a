"""What a blend knows of a pair: what the judge says, the encoder's cosine, and how many of the query's words the
candidate has. Each is a property of the pair alone, so that shards and resumed runs agree. Cosine and overlap are of
the texts without copies of the query that sellers add to be found: see `judge.words.stuffing.unstuffed`.

An honest title may end with the query, too ("16 oz claw hammer"). Where there are other fields, they say as much
without it. Of a title alone the rest tells one from the other: where it is near to the query, a copy at the end counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from judge.errors import InputError, ModelError
from judge.models.encoder import EMBEDDED_ENCODER, Encoder, find_encoder
from judge.records import Pair
from judge.text import candidate_name, naming_field
from judge.words.asked import against, attached, wanted
from judge.words.overlap import covered
from judge.words.stuffing import unstuffed

Floats = npt.NDArray[np.float64]
JUDGE, COSINE, OVERLAP = "judge", "cosine", "overlap"
FEATURES = (JUDGE, COSINE, OVERLAP)
"""What a blend may be of."""
BRAND = "brand"
NEAR = 0.25
"""From this cosine of query and title on, all copies at the title's end left out, one of them counts. Of 53 irrelevant
Chorus products, titles alone with the query added, 10 became a 2 so when it was chosen; 15 at .2; 6 if none counts, 38
if all do."""
ALIKE = 0.5
"""From this similarity of two words on (Dice of letter trigrams) the one counts in part for the other."""
ATTACHED = 0.25
"""What a word counts that a title has as what an accessory goes with: see `judge.words.asked`. Of 0, .1, .25, .4
and .5 the folds of ESCI and Chorus tell .5 from the others, and hardly those from each other."""
AGAINST = 0.25
"""What a word counts where the title names what the query rules out. On ESCI, where one query in five rules something
out, such titles are as often the lowest grade as the middle one, and one in six has the highest."""
LEAST = 0.001
"""Probabilities below it count as it: a judge that is sure of itself shall not outweigh all else."""
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
        hint = f"install it: {error.hint}; or leave {COSINE!r} out of the features"
        raise ModelError(f"the feature {COSINE!r} needs the encoder: {error.message}", hint) from None
    if digest is not None and found.digest != digest:
        raise ModelError(
            f"the calibration was fitted with another encoder than {found.name} ({digest[:8]}, not {found.digest[:8]})",
            "install the one that it was fitted with, or calibrate again",
        )
    return found


@dataclass(frozen=True)
class Reading:
    """Which features are read, and how."""

    names: Sequence[str]
    """Some of "judge", "cosine" and "overlap"."""
    near: float | None = NEAR
    """From which cosine on a copy of the query at the end of a title counts, where that is all; null: none does."""
    alike: float | None = ALIKE
    """From which similarity on a word counts in part for a missing one: see `judge.words.overlap.covered`."""
    odds: bool = True
    """Whether what the judge says is the sum over grades but the lowest of the log-odds of that grade or a better one,
    the scale on which features add up in a model of cumulative logits; else its expected grade."""
    attached: float | None = ATTACHED
    """What a word counts that a title has as what an accessory goes with; words that a query rules out do not count
    then. Null: every word counts alike."""
    against: float | None = AGAINST
    """What a word counts where the title names what the query rules out; null: as if it did not."""


def measure(
    reading: Reading,
    pairs: Sequence[Pair],
    chances: Floats,
    grades: Sequence[int],
    cosine: Callable[[Sequence[Pair]], Floats] | Floats | None = None,
) -> Floats:
    """Features of pairs, shape (N, F), in the order of the names; NaN where a query has no words to look for.

    Args:
        reading: What to read.
        pairs: N pairs with their texts.
        chances: The judge's own probabilities, shape (N, K).
        grades: The guideline's values, ascending.
        cosine: Gives the cosines of pairs, shape (N,), or is what an earlier reading by the same rule found; needed for
            "cosine". See `cosines`.
    """
    columns: dict[str, npt.ArrayLike] = {}
    if JUDGE in reading.names:
        columns[JUDGE] = log_odds(chances) if reading.odds else chances @ np.asarray(grades, dtype=np.float64)
    bare = [_unstuffed(pair) for pair in pairs]
    read = [*bare]
    if COSINE in reading.names:
        assert cosine is not None
        columns[COSINE] = found = np.array(cosine(read) if callable(cosine) else cosine, dtype=np.float64)
        # A cosine depends on its batch in the sixth decimal, and one that is so near to `near` may count either way.
        if reading.near is not None:
            alone = {at: _unstuffed(pair, 1) for at, pair in enumerate(pairs) if len(pair.candidate) == 1}
            kept = [at for at, whole in alone.items() if whole != read[at] and found[at] >= reading.near]
            for at in kept:
                read[at] = alone[at]
            if callable(cosine):
                # The copy only ever raises it, so that whoever knows the cosine knows whether the copy counted.
                found[kept] = np.maximum(found[kept], cosine([read[at] for at in kept]))
    if OVERLAP in reading.names:
        # A copy that counts makes no thing of an accessory ("laptop lock laptop").
        titles = (candidate_name(pair.candidate) for pair in bare)
        columns[OVERLAP] = [_covered(pair, title, reading) for pair, title in zip(read, titles, strict=True)]
    return np.column_stack([columns[name] for name in reading.names])


def _covered(pair: Pair, title: str, reading: Reading) -> float:
    query, part = pair.query, frozenset[str]()
    if reading.attached is not None:
        query, part = wanted(query), attached(query, title, pair.candidate.get(BRAND, ""))
    share = covered(query, pair.candidate, alike=reading.alike, attached=part, told=reading.attached or 0.0)
    return share if reading.against is None or not against(pair.query, title) else share * reading.against


def log_odds(chances: Floats) -> Floats:
    """Of each later grade or a better one, summed; probabilities of shape (N, K) to (N,)."""
    some = np.maximum(chances, LEAST)
    above = np.cumsum(some[:, ::-1], axis=1)[:, -2::-1]
    below = np.cumsum(some, axis=1)[:, :-1]
    return np.asarray((np.log(above) - np.log(below)).sum(axis=1))


def _unstuffed(pair: Pair, at_end: int = 0) -> Pair:
    """A pair with so many of the copies at the end of what names it; those at the end of other fields stay."""
    title = naming_field(pair.candidate)
    texts = {
        name: unstuffed(pair.query, text, at_end=at_end if name == title else None)
        for name, text in pair.candidate.items()
    }
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
    names = sorted(pair.candidate, key=lambda name: name != "title")
    return ". ".join(pair.candidate[name] for name in names)[:HEAD]
