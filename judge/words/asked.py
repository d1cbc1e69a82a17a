"""What a query asks for, and whether a title names that, or what goes with it, or what the query rules out: a laptop, a
lock for laptops, a laptop with what it shall be without.

An English compound is what its last noun says (a "keyboard cover" is a cover), and what follows "for" is what a thing
is for. Neither word overlap nor an encoder's cosine sees that, and small judges hardly do. The nouns are those of
parts, accessories and consumables in general; titles in other languages are not read so.
"""

import re
from collections.abc import Mapping
from itertools import pairwise

from judge.words.overlap import SMALL
from judge.words.split import HEAD, spellings, stem, words
from judge.words.stuffing import SIGNS

_CLAUSE = re.compile(r"[,;:()\[\]|/]|\s[-–—+&]\s|[.!?](?=\s|$)")
_GONE = re.compile(r"\w+[\s-]+(?:free|not)\b|\b(?:no|non|zero)-\w+", re.IGNORECASE)
"""What is not there, by the word after it or the one before: "gluten free", "battery not included", "no-fat"."""
_SHORT = re.compile(r"\bw/o(?:ut)?\b", re.IGNORECASE)
"""How people write "without", with a sign that parts clauses."""
_NOUNS = (
    "accessory adapter adaptor aerator arm bag battery bit blade bracket bulb cable cap carrier cartridge case",
    "charger clamp cleaning clip connector cooler cord cover cradle cushion decal dock enclosure fan filter",
    "fitting gasket grip guard handle hanger hinge holder hook hose hub insert insole knob leash lid liner lock",
    "manual mat mount nozzle organizer pad part protector pump rack reader remote repair ribbon rod",
    "screw seal service sharpener shelf skin sleeve spare stand sticker stopper storage strap switch tip toner",
    "tool topper tray tripod valve warmer warranty wheel wipe",
)
NOUNS = frozenset(stem(word) for line in _NOUNS for word in line.split())
"""What goes with something. Not those that are as often a name of the thing itself, what it is packed in or a part that
it has: "makeup kit", "vacuum cleaner", "soup, pouch", "boots, lace up"."""
NEXT = frozenset(("bag", "cap", "case", "cover", "holder", "hook", "liner", "pad", "sleeve", "strap"))
"""Those that have to follow at once: further on they tell of the thing itself ("shirt, long sleeve", "tote, shoulder
bag", with the commas that titles leave out)."""
HAD = frozenset(("included", "including", "incl", "powered", "operated"))
"""What follows such a noun where the thing has it: "headphones, case included"."""
FOR = frozenset(("for", "compatible", "replace"))
"""What follows them in a clause is what a thing is for; "replace" is the stem of "replaces"."""
WITHOUT = frozenset(("without", "ohne", "senza", "sin", "sans", "zonder"))
"""What follows them is not wanted in a query, and not there in a title. No query begins with one: "sin city"."""
LACKING = WITHOUT | {"no", "not", "non", "zero", "0%"}
"""What follows them in a title is not there. In a query they are as often something else ("no show socks")."""
BESIDE = FOR | {"with"}
"""What follows them in a query is no thing that it asks for."""
AFTER = 2
"""Words after what is asked for among which such a noun may stand: "monitor privacy filter"."""
START = 4
"""Letters by which a noun is one of the query's words in another form: "batteries" and "battery"."""


def wanted(query: str) -> str:
    """A query without the words that it rules out: those from "without" to a word of `BESIDE` or "and", or to its end.

    One that begins with such a word stays as it is.
    """
    return " ".join(_parted(query)[0])


def against(query: str, title: str) -> bool:
    """Whether a title names what a query rules out: "chairs without arms", and "Chair with arms"."""
    left, gone = (words(" ".join(part)) for part in _parted(query))
    out = {*gone} - {*left} - SMALL
    if not out:
        return False
    there: set[str] = set()
    for clause in _CLAUSE.split(_SHORT.sub("without", title[:HEAD])):
        there.update(words(" ".join(_less(_GONE.sub(" ", clause).split(), LACKING)[0])))
    return any(there.intersection(spellings(word)) for word in out)


def _parted(query: str) -> tuple[list[str], list[str]]:
    """A query's words, and those that it rules out."""
    first, *rest = _SHORT.sub("without", query).split() or [""]
    left, out = _less(rest, WITHOUT)
    return [first, *left], out


def _less(found: list[str], without: frozenset[str]) -> tuple[list[str], list[str]]:
    """Words less those after one of some words, up to a word of `BESIDE` or "and"; and those."""
    left, out, beyond = list[str](), list[str](), False
    for word in found:
        bare = word.casefold().strip(SIGNS)
        if bare in without:
            beyond = True
            continue
        beyond = beyond and bare not in BESIDE | {"and"}
        (out if beyond else left).append(word)
    return left, out


def attached(query: str, title: str, brand: str = "") -> frozenset[str]:
    """The words of a query that a title has only as what another thing is a part of, or is for.

    What a query asks for are its words before "for" or "with", the last of them above all: a title that names that one
    as a thing has none. What follows "for" counts where the title names nothing that is asked for ("shoes for men").
    Words of the brand alone ask for all that it makes, accessories too.
    """
    every = words(wanted(query))
    if not (NOUNS | FOR) & {*words(title)}:
        return frozenset()
    asked = _asked(every)
    forms, whole = _forms(asked), _forms(every)
    starts = {word[:START] for word in every}
    things, parts, aims = set[str](), set[str](), set[str]()
    for clause in _CLAUSE.split(title[:HEAD]):
        found, aim, end = words(clause), False, 0
        for at, word in enumerate(found):
            aim = aim or word in FOR
            if named := _named(forms, found, at):
                end = _end(found, max(end, at + 1), whole)
                part = not aim and _followed(found[end : end + AFTER + 1], starts)
                (aims if aim else parts if part else things).update(named)
    if things and asked[-1] in things:
        return frozenset()
    left = (parts if things else parts | aims) - things
    return frozenset() if left <= {*words(brand)} else frozenset(left)


def _asked(every: list[str]) -> list[str]:
    """Of a query's words those that name what it asks for."""
    found: list[str] = []
    for word in every:
        if found and word in BESIDE:
            break
        if word not in SMALL:
            found.append(word)
    return found


def _forms(found: list[str]) -> dict[str, set[str]]:
    """Words, and neighbours written as one, with the words that they are."""
    forms = {"".join(pair): {*pair} for pair in pairwise(found)} | {word: {word} for word in found}
    return {same: named for form, named in forms.items() for same in spellings(form)}


def _named(forms: Mapping[str, set[str]], found: list[str], at: int) -> set[str]:
    """Which of some words a place of a title names, alone or with the next word."""
    return forms.get(found[at]) or forms.get("".join(found[at : at + 2])) or set()


def _end(found: list[str], end: int, whole: Mapping[str, set[str]]) -> int:
    """Where what a query says ends, of which the word before a place is one."""
    while end < len(found) and (found[end] in whole or found[end - 1] + found[end] in whole):
        end += 1
    return end


def _followed(after: list[str], starts: set[str]) -> bool:
    """Whether one of the first `AFTER` words is a noun of `NOUNS`, with no number, small word or "no" before it; of
    `NEXT` at once. The word beyond may say that the thing has it."""
    for at, word in enumerate(after[:AFTER]):
        if word in SMALL or word in LACKING or any(map(str.isdigit, word)):
            return False
        if word in NOUNS and not (at and word in NEXT) and word[:START] not in starts:
            return HAD.isdisjoint(after[at + 1 : at + 2])
    return False
