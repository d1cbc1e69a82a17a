"""Text to token ids, in the two ways a prompt needs: trusted framing with control tokens, everything else without."""

import json
import re
from collections.abc import Sequence, Set
from datetime import datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from judge.cache import cached, keep_cached
from judge.documents import Kind, reading
from judge.errors import ModelError
from judge.fingerprint import digest, file_digest
from judge.words.bounds import bounded, refuse_powers

_MARK = re.compile(r"<\S+>|\[/?[A-Z_]+\]")
"""An added token that is no word of any language: `<tool_call>`, `[INST]`."""
_BYTE = re.compile(r"^<0x[0-9A-F]{2}>$")
TEMPLATE = Kind("use a model with an ordinary chat template", ModelError)
FORMAT = 2
"""Part of the key under which a tokenizer is kept: raised when what is kept changes."""
DAY = datetime(2024, 7, 26)
"""What chat templates are told is today: a run that resumes tomorrow asks as it did today."""


class Tokenizer(Protocol):
    """What prompt building needs of a tokenizer."""

    def plain(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of texts in which control tokens, such as `<|im_end|>`, are ordinary characters."""
        ...

    def control(self, text: str) -> list[int]:
        """Ids of a text in which control tokens are control tokens."""
        ...

    def text(self, ids: Sequence[int]) -> str:
        """What some ids say, control tokens written out: for people to read."""
        ...

    def frame(self) -> tuple[str, str, str]:
        """The conversation around our text: before the instruction, between it and the question, and after that."""
        ...


class ModelTokenizer:
    """The tokenizer of a model directory, with its chat template.

    Raises:
        ModelError: The directory holds no fast tokenizer, or a chat template that cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self._directory, self._name = directory, f"{directory}: its chat template"
        self._key = _key(directory)
        # What transformers makes of it is kept: importing transformers takes longer than a small run.
        kept = cached("tokenizers", self._key)
        self._frame: tuple[str, str, str] | None = tuple(kept["frame"]) if kept else None
        if kept:
            self._marks, self._disarmed = frozenset(kept["marks"]), kept["disarmed"]
        else:
            spec = json.loads(self._spec)
            self._marks = _marks(spec)
            self._disarmed = _disarmed(spec, self._marks)
        self._plain = _whole(self._disarmed)
        self._plain.encode_special_tokens = True

    @cached_property
    def _control(self) -> Any:
        """The library's, control tokens and all: made only for texts that were not asked for before."""
        return _whole(self._spec)

    @cached_property
    def _spec(self) -> str:
        """What transformers tells the library `tokenizers`, as JSON."""
        kept = cached("backends", self._key)
        return str(kept) if kept else self._backend()

    @cached_property
    def _outer(self) -> Any:
        """The tokenizer as transformers has it."""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self._directory, trust_remote_code=False)

    def _backend(self) -> str:
        """`_spec`, by transformers."""
        try:
            return str(self._outer.backend_tokenizer.to_str())
        except Exception as error:
            raise ModelError(
                f"{self._directory}: has no usable tokenizer ({error})",
                "a judge's tokenizer.json must be next to its weights",
            ) from error

    def plain(self, texts: Sequence[str]) -> list[list[int]]:
        """See `Tokenizer.plain`."""
        found = (e.ids for e in self._plain.encode_batch_fast(list(texts), add_special_tokens=False))
        # Whatever way a vocabulary finds a mark in a text, it does not reach the judge.
        return [ids if self._marks.isdisjoint(ids) else [i for i in ids if i not in self._marks] for ids in found]

    def control(self, text: str) -> list[int]:
        """See `Tokenizer.control`."""
        key = digest([self._key, text])
        found = cached("control", key)
        if found is None:
            found = list(self._control.encode(text, add_special_tokens=False).ids)
            keep_cached("control", key, found)
        return [int(each) for each in found]

    def text(self, ids: Sequence[int]) -> str:
        """See `Tokenizer.text`."""
        backend = self._plain if self._marks.isdisjoint(ids) else self._control
        return str(backend.decode(list(ids), skip_special_tokens=False))

    def frame(self) -> tuple[str, str, str]:
        """See `Tokenizer.frame`. A model without a chat template gets plain paragraphs; one without a system role gets
        the instruction at the head of the question."""
        if self._frame is None:
            self._frame = self._find_frame()
            keep_cached("backends", self._key, self._spec)
            kept = {"disarmed": self._disarmed, "marks": sorted(self._marks), "frame": self._frame}
            keep_cached("tokenizers", self._key, kept)
        return self._frame

    def _find_frame(self) -> tuple[str, str, str]:
        from jinja2 import TemplateError

        template = self._outer.chat_template
        if not template:
            begin = self._outer.bos_token if self._outer("").input_ids else ""
            return begin or "", "\n\n", "\n"
        marks = ["\ue000", "\ue001"]
        with reading(self._name, TEMPLATE, "it cannot be filled in"):
            for text in template.values() if isinstance(template, dict) else [template]:
                refuse_powers(text, self._unusable)
        with reading(self._name, TEMPLATE, "it cannot be filled in"), bounded(self._unusable):
            try:
                text = self._chat([{"role": "system", "content": marks[0]}, {"role": "user", "content": marks[1]}])
            except TemplateError:
                text = self._chat([{"role": "user", "content": f"{marks[0]}\n\n{marks[1]}"}])
        if [text.count(mark) for mark in marks] != [1, 1]:
            raise ModelError(
                "the judge's chat template does not show a system and a user text once each",
                "use a model with an ordinary chat template",
            )
        before, rest = text.split(marks[0])
        between, after = rest.split(marks[1])
        return before, between, after

    def _unusable(self, what: str) -> Exception:
        return TEMPLATE.damaged(self._name, what)

    def _chat(self, messages: list[dict[str, str]]) -> str:
        # transformers renders chat templates in a sandbox of its own.
        return str(
            self._outer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,
                strftime_now=DAY.strftime,
            )
        )


def _whole(spec: str) -> Any:
    """A tokenizer of its JSON, which neither cuts nor fills up."""
    from tokenizers import Tokenizer as Backend

    found = Backend.from_str(spec)
    found.no_truncation()
    found.no_padding()
    return found


def _key(directory: Path) -> str:
    """A digest of all that a tokenizer and its chat template are made from."""
    files = [*directory.glob("*"), *directory.glob("additional_chat_templates/*")]
    read = {
        str(path.relative_to(directory)): file_digest(path)
        for path in files
        if path.suffix in (".json", ".jinja", ".model", ".txt", ".tiktoken") and path.is_file()
    }
    return digest([FORMAT, DAY.isoformat(), read, *(_version(name) for name in ("transformers", "tokenizers"))])


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _marks(spec: dict[str, Any]) -> frozenset[int]:
    """The ids of a tokenizer's marks. What it writes for unknown letters and for bytes is none: texts have these.

    Some, such as Qwen's `<tool_call>`, are added as ordinary tokens; a Unigram model can have them in its vocabulary
    alone, with the score 0 that no learnt piece has.
    """
    model, added = spec["model"], spec.get("added_tokens") or []
    pieces = enumerate(model["vocab"]) if model["type"] == "Unigram" else ()
    found = {token["id"]: token["content"] for token in added if token["special"] or _MARK.fullmatch(token["content"])}
    found |= {number: piece for number, (piece, score) in pieces if score == 0 and _MARK.fullmatch(piece)}
    unknown = model.get("unk_id"), model.get("unk_token")
    return frozenset(i for i, text in found.items() if i != unknown[0] and text != unknown[1] and not _BYTE.match(text))


def _disarmed(spec: dict[str, Any], marks: Set[int]) -> str:
    """A tokenizer's JSON in which every mark is a special token, so that `encode_special_tokens` spells it out.

    A Unigram model looks for its pieces, marks among them, by likelihood: there they get names that no text has.
    """
    added = [{**t, "special": t["special"] or t["id"] in marks} for t in spec.get("added_tokens") or []]
    model = spec["model"]
    if model["type"] == "Unigram":
        vocab = [[f"\0{i}" if i in marks else piece, score] for i, (piece, score) in enumerate(model["vocab"])]
        model = {**model, "vocab": vocab}
    # Without spaces and escapes it is read in four fifths of the time.
    return json.dumps({**spec, "added_tokens": added, "model": model}, ensure_ascii=False, separators=(",", ":"))
