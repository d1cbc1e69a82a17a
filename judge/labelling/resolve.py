"""Which judge a user means, and how it is asked: a fine-tuned judge brings its guideline, template and calibration."""

from dataclasses import dataclass, replace
from pathlib import Path

from judge.calibration.abstain import check_budget, choose
from judge.engines.chat.prompt import TEMPLATE as CHAT
from judge.errors import InputError
from judge.labelling.blending import choose_calibration
from judge.labelling.config import FILE, AdapterManifest, JudgeConfig, read_tuned
from judge.models.embedded import EMBEDDED
from judge.models.shipped import shipped_directory
from judge.run.seen import Seen, read_seen
from judge.words.guideline import DEFAULT, Guideline, load_guideline
from judge.words.templates import TEMPLATE


@dataclass(frozen=True)
class JudgeRequest:
    """What a user says of how to judge."""

    judge: str = EMBEDDED
    guideline: str | None = None
    """Name or file; the fine-tuned judge's own, or the default, unless given."""
    force_guideline: bool = False
    """Whether a fine-tuned judge is asked by another guideline or template than its own all the same."""
    calibration: Path | None = None
    """A file that `judge calibrate` wrote, `none`, or `plain`: see `judge.labelling.blending`."""
    max_noise: float | None = None
    chat: bool = False
    """Whether the judge is a name at a chat endpoint, and nothing on this machine."""


def resolve_judge(judge_request: JudgeRequest) -> tuple[Guideline, JudgeConfig]:
    """The guideline and the configuration for what a user asked for.

    Raises:
        InputError: They contradict each other, or the judge's training.
        ModelError: The judge's `judge.json`, or the adapter next to it, cannot be used.
    """
    directory = shipped_directory(judge_request.judge) or Path(judge_request.judge).expanduser()
    tuned = read_tuned(directory) if not judge_request.chat and (directory / FILE).is_file() else None
    same = False
    if tuned is None:
        guideline = load_guideline(judge_request.guideline or DEFAULT)
        judge_config = JudgeConfig(judge_request.judge, template=CHAT if judge_request.chat else TEMPLATE)
    else:
        guideline = _agreed(tuned, judge_request, directory)
        adapter, model = (directory, tuned.base.wanted) if tuned.adapter else (None, judge_request.judge)
        # A calibration was fitted to the answers to the prompt of its training, and to no other.
        same = tuned.same_template and guideline.digest == tuned.policy.digest
        own = tuned.calibration if same else None
        seen = read_seen(directory) or Seen(unknown=True)
        judge_config = JudgeConfig(model, adapter, tuned, tuned.template, own, seen=seen)
    asked, adapters = judge_request.calibration, tuned.adapters if tuned else ()
    blended = directory if same else None
    calibration, encoder = choose_calibration(asked, judge_config.calibration, blended, guideline, adapters)
    threshold = None
    if judge_request.max_noise is not None:
        check_budget(judge_request.max_noise)
        if calibration is None:
            raise InputError(
                "--max-noise needs held-out ratings, and this judge has no calibration",
                "make one with `judge calibrate RUN RATINGS --out FILE`, and give it with --calibration FILE",
            )
        threshold = choose(calibration.held_out, judge_request.max_noise)
    return guideline, replace(judge_config, calibration=calibration, threshold=threshold, encoder=encoder)


def _agreed(tuned: AdapterManifest, judge_request: JudgeRequest, directory: Path) -> Guideline:
    own = tuned.policy
    if not judge_request.force_guideline and not tuned.same_template:
        raise InputError(
            f"{directory}: prompts/{tuned.template}.j2 is not the text of its training",
            "fine-tune it again, or pass --force-guideline to use it anyway",
        )
    if judge_request.guideline is None:
        return own
    given = load_guideline(judge_request.guideline)
    if given.digest not in (tuned.guideline_digest, own.digest):
        if judge_request.force_guideline:
            return given
        raise InputError(
            f"{judge_request.judge}: was fine-tuned on the guideline {own.name} {own.version}, and --guideline "
            f"{judge_request.guideline} ({given.name} {given.version}) says something else",
            f"drop --guideline, pass --force-guideline to use it anyway, or ask its base: --judge {tuned.base.wanted}",
        )
    return own
