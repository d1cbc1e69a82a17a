"""Which words of a query a candidate's text has, as a line that a small judge reads next to the texts.

A small language model notices that a word is there more easily than that it is missing. Exact matching is arithmetic,
so it is done here: after case, accents and plural endings, and across a blank that one side writes and the other does
not ("bandsaw", "band saw").
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import pairwise

from judge.words.split import ALONE, parts, spellings, words

MISSING = "missing"
LETTERS = 4
"""Of a word at least, for another to be taken for nearly the same."""
_SMALL = (
    "a an and at by for from in is of on or the to with",
    "das dem der des ein eine im mit und von zu",
    "au avec de du en et la le les pour un une",
    "del di el il para por una",
)
SMALL = frozenset(word for line in _SMALL for word in line.split())
"""Words that say nothing of a product in English, German, French, Spanish and Italian, and are no thing in another of
these: "die" is a tool, "par" a lamp, and a letter says much of a window."""


def overlap(query: str, texts: Mapping[str, str]) -> str:
    """A line such as `title running shoe; colour red; missing 42`.

    Args:
        query: The query's text.
        texts: The candidate's texts by field name, the most telling first; a `title` comes before all.

    Returns:
        The query's words, each once, without plural endings, by the first field that has them; last those that none
        has. A field without words is left out. Of a script without blanks, letters that stand together in the query.
    """
    kinds: dict[str, list[str]] = {}
    before = ""
    fields = _fields(texts)
    for word, kind, follows in _placed(query, fields):
        found = kinds.setdefault(kind, [])
        if follows and kind == before:
            found[-1] += word
        else:
            found.append(word)
        before = kind
    return "; ".join(f"{kind} {' '.join(kinds[kind])}" for kind in (*fields, MISSING) if kind in kinds)


def covered(
    query: str,
    texts: Mapping[str, str],
    *,
    alike: float | None = None,
    attached: Collection[str] = (),
    told: float = 1,
) -> float:
    """The share of a query's words, each once, that some field of a candidate has; in [0, 1], NaN without words. Of a
    script without blanks each letter counts as a word, and is there where it stands next to one of its neighbours.

    Args:
        query: The query's text.
        texts: The candidate's texts by field name.
        alike: From which similarity on a missing word counts in part, by as much as the candidate's most similar word
            is like it: typing errors, other forms of a word. The words of `SMALL` do not count then, unless there are
            no others. The similarity is Dice's of letter trigrams (Adamson and Boreham 1974); of a word with a digit,
            which names a size or a model, there is none. Null: words count alike, and wholly or not at all.
        attached: Words that count in part where the title has them, or the first field where there is no title; where
            more than a third of all are missing, those say what there is to say.
        told: What each of those counts.
    """
    fields = _fields(texts)
    kinds: dict[str, list[str]] = {name: [] for name in (*fields, MISSING)}
    for word, kind, _ in _placed(query, fields):
        kinds[kind].append(word)
    if alike is not None:
        telling = {kind: [word for word in found if word not in SMALL] for kind, found in kinds.items()}
        kinds = telling if any(telling.values()) else kinds
    missing, asked = kinds[MISSING], sum(map(len, kinds.values()))
    if not asked:
        return float("nan")
    nearly = _nearly(missing, set().union(*fields.values()), alike) if missing and alike is not None else 0.0
    parts = sum(word in attached for word in next(iter(kinds.values())))
    less = (1 - told) * parts if 3 * len(missing) <= asked else 0.0
    return 1 - (len(missing) - nearly + less) / asked


def _fields(texts: Mapping[str, str]) -> dict[str, set[str]]:
    """What is seen in each field, the title first."""
    return {name: _seen(texts[name]) for name in sorted(texts, key=lambda name: name != "title")}


def _placed(query: str, fields: Mapping[str, set[str]]) -> Iterator[tuple[str, str, bool]]:
    """The query's words with the first field that has them, or `MISSING`, and whether no blank stands before them."""
    asked = [(word, len(part) > 1, at > 0) for part in dict.fromkeys(parts(query)) for at, word in enumerate(part)]
    joined = ["".join(pair) for pair in pairwise(word for word, *_ in asked)]
    for at, (word, is_letter, follows) in enumerate(asked):
        # One letter of several is everywhere: with its neighbours it is there or not.
        forms = {*joined[max(0, at - 1) : at + 1], *(() if is_letter else spellings(word))}
        yield word, next((name for name, seen in fields.items() if forms & seen), MISSING), follows


def _nearly(missing: Iterable[str], seen: Iterable[str], alike: float) -> float:
    """The sum over missing words of the similarity to the most similar word that is seen, where that is enough."""
    asked = {word: _trigrams(word) for word in missing if len(word) >= LETTERS and not any(map(str.isdigit, word))}
    # A long text has hundreds of words, of which few have letters in common with what is asked for.
    having = defaultdict(list)
    for word, own in asked.items():
        for trigram in own:
            having[trigram].append(word)
    best = dict.fromkeys(asked, 0.0)
    for other in map(_trigrams, seen if asked else ()):
        if not other.isdisjoint(having):
            shared = Counter(word for trigram in other & having.keys() for word in having[trigram])
            for word, count in shared.items():
                best[word] = max(best[word], 2 * count / (len(asked[word]) + len(other)))
    return sum(found for found in best.values() if found >= alike)


def _trigrams(word: str) -> set[str]:
    marked = f" {word} "
    return {marked[at : at + 3] for at in range(len(marked) - 2)}


def _seen(text: str) -> set[str]:
    """The words of a text, and its neighbours written as one; letters that no blank parts are words here."""
    found = words(text, ALONE)
    return {*found, *map("".join, pairwise(found))}
