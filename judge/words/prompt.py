"""Pairs to prompts: the guideline's template rendered once for each shape of pair, texts filled in as tokens.

A template is rendered with slots where texts of shoppers and sellers belong. The rendered text is split at the slots,
its literal pieces and the texts are tokenised apart, and a text longer than its budget loses its last tokens. So a text
is never run as a template, never becomes a control token, and never pushes out the instruction or the place of the
label; the shared segments are equal to the last id in every engine and in training; and each text is tokenised once.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from jinja2 import TemplateError

from judge.errors import InputError, ModelError
from judge.records import Pair, Prompt
from judge.words.guideline import Guideline
from judge.words.normalise import clean
from judge.words.overlap import overlap
from judge.words.templates import OVERLAP, TEMPLATE, compiled
from judge.words.tokenizer import Tokenizer

BLOCKS = ("shared", "query", "candidate", "answer")
OVERLAP_TOKENS = 24
NO_FIELD = ("query", "locale", OVERLAP)

# Slots are private-use characters around a name: they cannot be confused with the words of a template or a guideline.
_SLOT = re.compile("\ue010([a-z0-9_]+)\ue011")
_CHARS_PER_TOKEN = 32

Piece = tuple[tuple[int, ...], str | None]
"""Ids of a literal, and the name of the slot after it (null at the end)."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one text of a pair takes of its budget."""

    name: str
    """`query`, `locale`, a candidate field, or what a template adds of its own."""
    tokens: int
    """It has so many; of a text of many thousand characters, its head has."""
    kept: int
    """The prompt holds so many: the first ones, or the last where the field keeps its end."""
    budget: int
    """What was left for it when its turn came."""
    lost: str
    """What of it is not in the prompt; empty where nothing was cut."""


class PromptBuilder:
    """Builds the prompts of one run.

    Args:
        guideline: What the judge is told, and the budgets.
        tokenizer: The judge's.
        template: Name of the template file in `prompts/`, without its suffix.
        context: How many tokens the judge can read, if there is a limit.

    Raises:
        InputError: The template lacks a block or uses a name that does not exist.
        ModelError: A label is not one token of this tokenizer, or the guideline does not fit the context.
    """

    def __init__(
        self, guideline: Guideline, tokenizer: Tokenizer, template: str = TEMPLATE, context: int | None = None
    ) -> None:
        self.guideline = guideline
        self.tokenizer = tokenizer
        self._template = compiled(template)
        if missing := [block for block in BLOCKS if block not in self._template.blocks]:
            raise InputError(
                f"prompts/{template}.j2: has no block {missing[0]!r}", f"a template has the blocks {', '.join(BLOCKS)}"
            )
        self._budget = {f.name: f.tokens for f in guideline.fields} | {
            "query": guideline.query_tokens,
            "locale": 8,
            OVERLAP: OVERLAP_TOKENS,
        }
        self._longest = max(self._budget.values()) * _CHARS_PER_TOKEN
        self._fields = tuple(f.name for f in guideline.fields)
        self._ends = {f.name for f in guideline.fields if f.keep == "end"}
        self._overlap = f"\ue010{OVERLAP}\ue011" in self._render("candidate", self._fields)
        before, between, after = tokenizer.frame()
        answer = self._render("answer")
        self.shared = (*tokenizer.control(before), *self._plain(self._render("shared")), *tokenizer.control(between))
        # The frame's last piece and the answer stay two tokenisations: the seam must not depend on the answer's words.
        self._end = (*tokenizer.control(after), *self._plain(answer))
        self.labels = tuple(self._label(grade.token) for grade in guideline.grades)
        self._pieces = lru_cache(maxsize=4096)(self._pieces_of)
        self._check_context(context)

    def build(self, pairs: Sequence[Pair]) -> list[Prompt]:
        """The prompts of some pairs, in their order. Consecutive pairs of one query share one `query` segment."""
        texts = [dict(self._texts(pair)) for pair in pairs]
        unique = list({self._trim(name, text) for found in texts for name, text in found.items()})
        ids = dict(zip(unique, self.tokenizer.plain(unique), strict=True))
        prompts: list[Prompt] = []
        for found in texts:
            prompt = self._prompt(found, ids)
            if prompts and prompts[-1].query == prompt.query:
                prompt = replace(prompt, query=prompts[-1].query)
            prompts.append(prompt)
        return prompts

    def spent(self, pair: Pair) -> list[Spent]:
        """What each of a pair's texts takes, in the order of the prompt."""
        texts = dict(self._texts(pair))
        heads = [self._trim(name, text) for name, text in texts.items()]
        ids = dict(zip(heads, self.tokenizer.plain(heads), strict=True))
        found = []
        for name, whole, kept, budget in self._kept(texts, ids):
            left, beyond = len(whole) - len(kept), len(texts[name]) - self._longest
            if name in self._ends:
                lost = texts[name][: max(0, beyond)] + self.tokenizer.text(whole[:left])
            else:
                lost = self.tokenizer.text(whole[len(whole) - left :]) + texts[name][self._longest :]
            found.append(Spent(name, len(whole), len(kept), budget, lost))
        return found

    def _texts(self, pair: Pair) -> Iterable[tuple[str, str]]:
        yield "query", " " + clean(pair.query)
        if pair.locale:
            yield "locale", " " + clean(pair.locale)
        for name in self._fields:
            if (given := pair.candidate.get(name)) and (text := clean(given)):
                yield name, " " + text
        if self._overlap:
            texts = {name: pair.candidate.get(name, "") for name in self._fields}
            yield OVERLAP, " " + overlap(clean(pair.query), texts)

    def _trim(self, name: str, text: str) -> str:
        # Only one end of a text can get into the prompt: a seller's 100 kB need no tokenising.
        return text[-self._longest :] if name in self._ends else text[: self._longest]

    def _kept(
        self, texts: Mapping[str, str], ids: Mapping[str, list[int]]
    ) -> Iterable[tuple[str, list[int], list[int], int]]:
        """Each text's name, its tokens, those that are kept, and its budget: its own, within what is left of all."""
        left = self.guideline.candidate_tokens
        for name, text in texts.items():
            is_field = name not in NO_FIELD
            budget = min(self._budget[name], left) if is_field else self._budget[name]
            whole = ids[self._trim(name, text)]
            kept = whole[max(0, len(whole) - budget) :] if name in self._ends else whole[:budget]
            left -= len(kept) if is_field else 0
            yield name, whole, kept, budget

    def _prompt(self, texts: dict[str, str], ids: dict[str, list[int]]) -> Prompt:
        cut: list[str] = []
        filled: dict[str, list[int]] = {}
        for name, whole, kept, _ in self._kept(texts, ids):
            filled[name] = kept
            if name != OVERLAP and (len(whole) > len(kept) or len(texts[name]) > self._longest):
                cut.append(name)
        fields = tuple(name for name in filled if name not in NO_FIELD)
        query = self._fill(self._pieces("query", (), "locale" in filled), filled)
        candidate = self._fill(self._pieces("candidate", fields, False), filled)
        return Prompt(self.shared, query, (*candidate, *self._end), self.labels, tuple(cut))

    @staticmethod
    def _fill(pieces: tuple[Piece, ...], filled: dict[str, list[int]]) -> tuple[int, ...]:
        out: list[int] = []
        for literal, slot in pieces:
            out += literal
            out += filled[slot] if slot else ()
        return tuple(out)

    def _pieces_of(self, block: str, fields: tuple[str, ...], locale: bool) -> tuple[Piece, ...]:
        parts = _SLOT.split(self._render(block, fields, locale))
        # A text brings its own leading space, so that "Title: Lamp" has the tokens it would have as one text.
        literals = [
            part[:-1] if index < len(parts) // 2 and part.endswith(" ") else part
            for index, part in enumerate(parts[::2])
        ]
        slots: list[str | None] = [*parts[1::2], None]
        wanted = ("query", *(["locale"] if locale else [])) if block == "query" else fields
        if tuple(slot for slot in slots[:-1] if slot != OVERLAP) != wanted:
            raise InputError(
                f"the template's block {block!r} shows {slots[:-1]}, not {list(wanted)}",
                "show every text once, in order, unchanged",
            )
        return tuple((self._plain(text), slot) for text, slot in zip(literals, slots, strict=True))

    def _render(self, block: str, fields: Sequence[str] = (), locale: bool = False) -> str:
        values = {
            "guideline": self.guideline,
            "query": "\ue010query\ue011",
            "locale": "\ue010locale\ue011" if locale else "",
            "fields": [{"name": name, "text": f"\ue010{name}\ue011"} for name in fields],
            OVERLAP: f"\ue010{OVERLAP}\ue011",
        }
        try:
            return "".join(self._template.blocks[block](self._template.new_context(values)))
        except TemplateError as error:
            raise InputError(
                f"the template's block {block!r} cannot be rendered: {error}", "fix the template"
            ) from None

    def _plain(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.plain([text])[0])

    def _label(self, text: str) -> int:
        ids = self._plain(text)
        if len(ids) != 1:
            raise ModelError(
                f"the label {text!r} is {len(ids)} tokens of this judge's tokenizer, not one",
                "give the grade another `label` in the guideline, or use another judge",
            )
        return ids[0]

    def _check_context(self, context: int | None) -> None:
        fields = tuple(f.name for f in self.guideline.fields)
        literals = sum(
            len(ids) for block in (("query", (), True), ("candidate", fields, False)) for ids, _ in self._pieces(*block)
        )
        budgets = sum(self._budget[name] for name in NO_FIELD) + self.guideline.candidate_tokens
        longest = len(self.shared) + literals + budgets + len(self._end)
        if context is not None and longest > context:
            sizes = f"{longest} tokens, {len(self.shared)} of them the guideline"
            raise ModelError(
                f"a prompt can have {sizes}, and the judge reads {context}",
                "shorten the guideline or its budgets, or use a judge with a longer context",
            )
