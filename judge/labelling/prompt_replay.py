"""How a judge was asked about a pair, made again: the same guideline, template and tokenizer give the same tokens."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from judge.engines.chat.prompt import KEY, ChatBuilder
from judge.engines.fake import FAKE_MODEL, FakeTokenizer
from judge.errors import JudgeError
from judge.labelling.config import FILE, read_tuned
from judge.models.model import JudgeModel, local_directory
from judge.records import Pair, Prompt
from judge.run.manifest import Manifest
from judge.words.folders import shipped_names
from judge.words.prompt import PromptBuilder, Spent
from judge.words.split import VERSION
from judge.words.templates import reads_overlap, template_digest
from judge.words.tokenizer import ModelTokenizer, Tokenizer


@dataclass(frozen=True)
class Asked:
    """A prompt as it was sent, or why it cannot be shown."""

    missing: str | None
    """Why there is no prompt here; null where there is one."""
    template: str | None = None
    prompt: Prompt | None = None
    segments: Sequence[str] = ()
    """What the prompt's three segments say: guideline, query, candidate with the place of the answer; or, of a judge
    that is asked in words and has no `prompt` of tokens, each message."""
    roles: Sequence[str] = ()
    """Whose message each is: `system`, `user`, and `assistant` where an example's answer is shown."""
    spent: Sequence[Spent] = field(default=())
    cut: Sequence[str] = ()
    """Texts that were cut to their budgets, where there is no `prompt`."""

    def as_json(self) -> dict[str, Any]:
        """A dict of JSON values, with the tokens of each segment."""
        if self.missing is not None:
            return {"missing": self.missing}
        if self.prompt is None:
            return {
                "missing": None,
                "template": self.template,
                "segments": [
                    {"name": name, "text": text} for name, text in zip(self.roles, self.segments, strict=True)
                ],
                "cut": list(self.cut),
            }
        names = ("shared", "query", "candidate")
        return {
            "missing": None,
            "template": self.template,
            "segments": [
                {"name": name, "tokens": len(getattr(self.prompt, name)), "text": text}
                for name, text in zip(names, self.segments, strict=True)
            ],
            "texts": [asdict(spent) for spent in self.spent],
            "cut": list(self.prompt.cut),
            "ids": self.prompt.ids,
            "labels": list(self.prompt.labels),
        }


def ask_again(manifest: Manifest, pair: Pair, judge: str | None = None) -> Asked:
    """Build the prompt that a run's judge got for a pair, if everything it takes is on this machine.

    Args:
        manifest: The run's.
        pair: As it was normalised.
        judge: Where the judge is now, if not where the manifest says.
    """
    template = find_template(manifest.parts.get("template_digest"))
    if template is None:
        return Asked(
            "no template in prompts/ has the text that this run was asked by; get the version that labelled it"
        )
    if reads_overlap(template) and manifest.parts.get("words") != str(VERSION):
        return Asked("the words of its texts were read by another rule; get the version that labelled it", template)
    if manifest.parts.get("endpoint"):
        return _in_words(manifest, pair, template)
    found = _tokenizer(manifest, judge)
    if isinstance(found, str):
        return Asked(found, template)
    try:
        builder = PromptBuilder(manifest.policy, found, template)
        prompt = builder.build([pair])[0]
        spent = builder.spent(pair)
    except JudgeError as error:
        return Asked(f"{error.message}; {error.hint}", template)
    segments = [found.text(ids) for ids in (prompt.shared, prompt.query, prompt.candidate)]
    return Asked(None, template, prompt, segments, spent=spent)


def _in_words(manifest: Manifest, pair: Pair, template: str) -> Asked:
    """The messages that ask about this pair alone: its neighbours in a request, and the order, are not shown."""
    try:
        builder = ChatBuilder(manifest.policy, template, examples=manifest.examples)
    except JudgeError as error:
        return Asked(f"{error.message}; {error.hint}", template)
    [prompt] = builder.build([pair])
    messages = prompt.script.messages([prompt], [KEY])
    said, roles = ([message[name] for message in messages] for name in ("content", "role"))
    return Asked(None, template, segments=said, roles=roles, cut=prompt.cut)


def find_template(wanted: str | None) -> str | None:
    """The name of the template of the package that has this digest; null where none has."""
    return next((name for name in shipped_names("prompts", ".j2") if template_digest(name) == wanted), None)


def _tokenizer(manifest: Manifest, judge: str | None) -> Tokenizer | str:
    """The tokenizer that the run's judge has, or why it is not available."""
    parts = manifest.parts
    name = judge or parts.get("judge") or ""
    if parts.get("judge") == FAKE_MODEL.name and parts.get("weights") == FAKE_MODEL.weights:
        return FakeTokenizer()
    revision = None if judge else parts.get("revision")
    if (Path(name).expanduser() / FILE).is_file():
        try:
            tuned = read_tuned(Path(name).expanduser())
        except JudgeError as error:
            return f"{error.message}; {error.hint}"
        if tuned.adapter:  # else its weights are merged, and the directory has its own tokenizer
            name, revision = tuned.base.name, tuned.base.revision
    directory = local_directory(name, revision)
    where = f"the tokenizer of {name}" + (f"@{revision}" if revision else "")
    if directory is None:
        return f"{where} is not on this machine; name the judge's directory with --judge"
    if parts.get("tokenizer") and JudgeModel(name, directory, None, None, "").tokenizer != parts["tokenizer"]:
        return f"{where} in {directory} is another than the one that made this run"
    try:
        return ModelTokenizer(directory)
    except (JudgeError, ImportError) as error:
        return f"{where} cannot be read here ({error})"
