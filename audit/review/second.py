"""Which judge may look at a run's labels again, and how it is asked: never the one that made them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from judge.engines import Serving
from judge.errors import InputError, ModelError
from judge.labelling.config import FILE, AdapterManifest, JudgeConfig, read_tuned
from judge.labelling.resolve import JudgeRequest, resolve_judge
from judge.models.model import find_model
from judge.run.store import Run
from judge.words.guideline import Guideline


@dataclass(frozen=True)
class Second:
    """The judge that looks again, asked as `judge label` would ask it."""

    guideline: Guideline
    judge_config: JudgeConfig
    serving: Serving


def second_judge(run: Run, judge: str, *, chat: bool = False) -> tuple[Guideline, JudgeConfig]:
    """By which guideline, and how, a judge is asked about a run: as it was fine-tuned, else by the run's guideline.

    `chat` says that it is a name at a chat endpoint.

    Raises:
        InputError: The judge was fine-tuned on another policy than the run's: their grades do not mean the same.
        ModelError: Its `judge.json`, or the adapter beside it, cannot be used.
    """
    own = run.manifest.policy
    tuned_guideline, judge_config = resolve_judge(JudgeRequest(judge, chat=chat))
    if judge_config.tuned is None:
        return own, judge_config
    if tuned_guideline.policy != own.policy:
        raise InputError(
            f"--with {judge}: was fine-tuned on the guideline {tuned_guideline.name} {tuned_guideline.version}, and "
            f"{run.path} was labelled by {own.name} {own.version}",
            "name a judge that was fine-tuned on the run's guideline, or one that was not fine-tuned",
        )
    return tuned_guideline, judge_config


def check_independent(run: Run, parts: Mapping[str, str | None], judge_config: JudgeConfig) -> None:
    """Refuse the judge that made the run: it can only repeat itself, whatever guideline or template it is asked by.
    Of an ensemble, no member is independent.

    Args:
        run: The run, whose judge is known by its fingerprint. People's grades have none.
        parts: What the judge that is asked adds to a fingerprint.
        judge_config: How it is asked.

    Raises:
        InputError: Both are the same base weights and the same adapter, merged or not.
    """
    for own in (run.manifest.parts, *run.manifest.members):
        _check_other(run, own, parts, judge_config)


def _check_other(
    run: Run, own: Mapping[str, str | None], parts: Mapping[str, str | None], judge_config: JudgeConfig
) -> None:
    # Two names at endpoints that read the same base's tokens can be two adapters of it; one name alone says nothing.
    served = own.get("served"), parts.get("served")
    if None not in served and served[0] != served[1]:
        return
    asked = _origins(parts, judge_config.tuned)
    if _origins(own, None) & asked or _origins(own, _own_tuned(own)) & asked:
        name = judge_config.adapter or judge_config.model
        raise InputError(
            f"--with {name}: is the judge that labelled {run.path}, and would repeat itself",
            "name another judge: a larger model, or one fine-tuned on other ratings",
        )


def _origins(parts: Mapping[str, str | None], tuned: AdapterManifest | None) -> set[tuple[str, str | None]]:
    """What a judge is made of: the weights and the adapter that are loaded, and those that were merged into one."""
    weights = parts.get("weights")
    found = {(weights, parts.get("adapter") or parts.get("declared_adapter"))} if weights else set()
    return found | ({(tuned.base.weights, tuned.merged)} if tuned and tuned.merged else set())


def _own_tuned(parts: Mapping[str, str | None]) -> AdapterManifest | None:
    """What the judge of a run says of itself, where it is a directory that was fine-tuned and is still the same."""
    directory = Path(parts.get("judge") or "")
    try:
        if not (directory / FILE).is_file() or find_model(str(directory)).weights != parts.get("weights"):
            return None
        return read_tuned(directory)
    except (ModelError, OSError):
        return None
