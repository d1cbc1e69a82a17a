"""A small judge fine-tuned on people's ratings."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from judge.errors import InputError
from judge.words.guideline import DEFAULT, load_guideline
from relevance_judge import shown
from relevance_judge.inputs import Rows, as_file, as_optional_file
from relevance_judge.judges import Judge
from relevance_judge.progress import progress as bar
from relevance_judge.reading import RatingOptions, Reading

if TYPE_CHECKING:
    from finetune.comparison import Compared
    from finetune.config import LoraConfig
    from judge.calibration.calibrate import Calibration
    from judge.labelling.config import AdapterManifest


@dataclass(frozen=True, repr=False)
class FineTuned(shown.Result):
    """A fine-tuned judge's directory, and what its `judge.json` says."""

    path: Path
    record: "AdapterManifest"

    def judge(self, **options: Any) -> Judge:
        """The judge itself; `options` are those of `Judge`."""
        return Judge(self.path, **options)

    @property
    def validation(self) -> Mapping[str, Any]:
        """Figures on the queries that stopped the training."""
        return self.record.validation

    @property
    def compared(self) -> "Compared | None":
        """It and the judge that it went on from, on the same held-out pairs; `doubt` says where it is not better. Null
        where it went on from none, or too few queries were held out to tell."""
        from finetune.comparison import Compared

        told = self.record.training.get("compared")
        return Compared.model_validate(told) if told else None

    @property
    def blend(self) -> "Calibration | None":
        """Cut points or a blend that take the place of its calibration, if it has any. One that was kept of the judge
        before, as its `held_out` without pairs says, has that judge's figures."""
        from judge.labelling.blending import own_blend

        return own_blend(self.path)

    def _sheet(self) -> shown.Sheet:
        pairs = self.record.training["pairs"]
        rows = [("base", self.record.base.wanted)]
        rows += [(f"pairs for {part}", f"{count:,}") for part, count in pairs.items()]
        rows.append(("validation accuracy", shown.number(self.validation["accuracy"])))
        rows.append(("calibrated", "no" if self.record.calibration is None else "yes"))
        if blend := self.blend:
            rows.append(("in its place", blend.form))
        if compared := self.compared:
            rows += [
                (f"{name.replace('_', ' ')} less that of {compared.start}", less)
                for name, less in compared.said.items()
            ]
            rows.append(("of", compared.pairs))
        return shown.Sheet(f"fine-tuned judge in {self.path}", ("", ""), rows)


def finetune(
    ratings: Rows,
    *,
    out: str | os.PathLike[str],
    catalogue: Rows | None = None,
    base: str | None = None,
    start: str | os.PathLike[str] | None = None,
    guideline: str | os.PathLike[str] = DEFAULT,
    config: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    template: str | None = None,
    merge: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **reading: Unpack[RatingOptions],
) -> FineTuned:
    """Fine-tune a small judge on people's ratings, calibrate it, and write it as an adapter.

    Killed at any moment, the same call resumes from its last checkpoint.

    Args:
        ratings: Rated pairs: a row a pair, or a row a grade (with `rater`).
        out: The directory to write, or to go on with.
        catalogue: Candidates with `candidate_id` and their texts.
        base: What to fine-tune, as the model of `Judge`; `smollm2-135m` unless given.
        start: The fine-tuned judge to go on from (`--from`); the shipped one where neither it nor a base is named and
            grades, template and rank agree. `none`: from the base.
        guideline: What relevance means: a name or a YAML file.
        config: What to change of finetune/lora.yaml: a YAML file, or a dict of its keys.
        template: A template of prompts/; `judge-match.v2` unless configured.
        merge: A directory for the fine-tuned judge as one model, too.
        progress: Show a bar on standard error.
        reading: See `RatingOptions`; `gold` is not used.

    Raises:
        InputError: Ratings, guideline or configuration cannot be used.
        ModelError: There is no such base, or what training needs is not installed.
        RunError: A directory holds something else.
        EngineError: Memory does not hold a batch.
    """
    from finetune.job import TrainingJob, check, prepare
    from finetune.job import finetune as train
    from finetune.loop import Watch
    from finetune.merge import check_free
    from finetune.merge import merge as write_merged
    from finetune.start import choose_start
    from judge.models.embedded import EMBEDDED
    from judge.ratings.rated import RatingsFile

    check(Path(out))
    merged = None if merge is None else Path(merge)
    if merged:
        check_free(merged, Path(out))
    how, policy = Reading(**reading), load_guideline(str(guideline))

    def configured(below: Mapping[str, Any]) -> "LoraConfig":
        found = _config(config, below)
        return found if template is None else found.changed(template=template)

    begun, chosen = choose_start(None if start is None else str(start), base, policy, configured)
    wanted = begun.tuned.base.wanted if begun else base or EMBEDDED
    how.refuse("gold", fix="leave it out, or rate with it alone: rating=COLUMN")
    known = how.known(policy)
    with as_file(ratings, "ratings") as rows, as_optional_file(catalogue, "catalogue") as texts:
        rated = RatingsFile(how.source(rows, texts, known), list(how.raters))
        prepared = prepare(TrainingJob(rated, policy, wanted, chosen, begun))
    with bar("training", prepared.steps, shown=progress) as advance:
        tuned = train(prepared, Path(out), Watch(advance))
    if merged:
        write_merged(tuned, Path(out), merged)
    return FineTuned(Path(out), tuned)


def _config(given: str | os.PathLike[str] | Mapping[str, Any] | None, below: Mapping[str, Any]) -> "LoraConfig":
    from pydantic import ValidationError

    from finetune.config import load_config

    if not isinstance(given, Mapping):
        return load_config(None if given is None else Path(given), below)
    try:
        return load_config(below=below).changed(**given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        what = "there is no such key" if first["type"] == "extra_forbidden" else first["msg"]
        raise InputError(f"config, {where}: {what}", "finetune/lora.yaml lists the keys and values") from None
