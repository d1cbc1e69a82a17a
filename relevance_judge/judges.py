"""A judge that grades pairs, held in memory between calls."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge import engines
from judge.engines.kinds import find_engine
from judge.errors import InputError
from judge.labelling.complete import score
from judge.labelling.config import JudgeConfig
from judge.labelling.job import Labelling
from judge.labelling.resolve import JudgeRequest, resolve_judge
from judge.pairs.stage import Source
from judge.scratch import scratch_folder
from judge.words.guideline import Guideline
from relevance_judge.inputs import as_file
from relevance_judge.scores import Scores
from relevance_judge.serving import default_judge, read_serving

if TYPE_CHECKING:
    from judge.labelling.worked_examples import Examples

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Judge:
    """An LLM judge of relevance. Making one is cheap: weights are loaded when it first grades, and then kept.

    Args:
        model: `shop-135m` (embedded; the default), `smollm2-135m` (its base), the directory of a model, an adapter or
            a fine-tuned judge, a GGUF file, or `owner/name[@revision]` of the Hugging Face Hub.
        engine: What runs it: `transformers`, `vllm`, `server`, `chat` or `fake`; `judge doctor` lists
            them.
        url: The root of an endpoint, for the engines `server` and `chat`: `http://…/v1`.
        guideline: What relevance means: a name or a YAML file; unless given, what the judge was fine-tuned on.
        adapter: A peft LoRA adapter's directory.
        engine_config: A YAML file of options of the engine; see docs/serving.md.
        calibration: A file that `judge calibrate` wrote, or `none`; a fine-tuned judge brings its own, and `plain` is
            that without its blend with word overlap and cosine.
        max_noise: Abstain on uncertain pairs, so that at most this share of the grades is wrong.
        force_guideline: Use a fine-tuned judge with a guideline other than its own.
        samples: For `chat`: answers to draw for each pair; their shares are probabilities.
        per_request: For `chat`: ask about up to so many candidates of a query at once.
        concurrency: For `server` and `chat`: requests under way at once.

    Raises:
        InputError: Options contradict each other, or there is no such engine or guideline.
        ModelError: What the engine needs is not installed, or the judge's files cannot be used.
    """

    model: PathLike | None = None
    _: KW_ONLY
    engine: str = engines.DEFAULT
    url: str | None = None
    guideline: PathLike | None = None
    adapter: PathLike | None = None
    engine_config: PathLike | None = None
    calibration: PathLike | None = None
    max_noise: float | None = None
    force_guideline: bool = False
    samples: int | None = None
    per_request: int | None = None
    concurrency: int | None = None

    def __post_init__(self) -> None:
        _ = self._asked  # what contradicts itself is refused here, and not with the first pair

    def score(self, pairs: Iterable[tuple[str, str | Mapping[str, Any]]]) -> Scores:
        """Grade pairs of a query and a candidate, in memory.

        The grades and probabilities are those that `label` gives the same pairs.

        Args:
            pairs: Query and candidate. A candidate is a dict of the guideline's fields, such as `title` and `brand`
                (other keys are not read), or a text: its first field, the title.

        Returns:
            As many labels as pairs, in their order.

        Raises:
            InputError: A query is empty, or a value is no text; names the row.
            ModelError: The judge cannot be found or loaded.
            EngineError: The engine cannot go on.
        """
        rows = [_row(number, pair, self.policy) for number, pair in enumerate(pairs, 1)]
        if not rows:
            return Scores((), self.policy)
        with scratch_folder("score") as folder, as_file(rows, "pairs") as (path, name):
            return Scores.of(score(self.job(Source(path, name=name)), Path(folder)), self.policy)

    @property
    def name(self) -> str:
        """What it was called, or the default judge's name."""
        return self._asked[0]

    @property
    def policy(self) -> Guideline:
        """The guideline that it is asked by."""
        return self._asked[1]

    def job(self, source: Source, examples: "Examples | None" = None) -> Labelling:
        """The labelling of some pairs by this judge, which is shown these examples."""
        _, policy, judge_config, serving = self._asked
        found = lambda: self._found  # noqa: E731 (loaded by the first pair)
        return Labelling(source, policy, judge_config.model, serving, judge_config, found, examples)

    @cached_property
    def _asked(self) -> tuple[str, Guideline, JudgeConfig, engines.Serving]:
        named = None if self.model is None else str(self.model)
        who = named or default_judge(self.engine)
        guideline = None if self.guideline is None else str(self.guideline)
        asked = who, guideline, self.force_guideline, _path(self.calibration), self.max_noise
        policy, judge_config = resolve_judge(JudgeRequest(*asked, chat=find_engine(self.engine).in_words))
        config, adapter = _path(self.engine_config), _path(self.adapter)
        told = {name: getattr(self, name) for name in ("samples", "per_request", "concurrency")}
        serving = read_serving(self.engine, self.url, config, adapter, judge_config.adapter, named, **told)
        return who, policy, judge_config, serving

    @cached_property
    def _found(self) -> "_LoadedOnce":
        _, _, judge_config, serving = self._asked
        return _LoadedOnce(judge_config.model, serving)


class _LoadedOnce(engines.Judge):
    """A model behind an engine that is opened once."""

    def open(self) -> engines.Engine:
        return self._engine

    @cached_property
    def _engine(self) -> engines.Engine:
        return super().open()


def as_judge(judge: Judge | PathLike | None) -> Judge:
    """A judge, or the one of this name."""
    return judge if isinstance(judge, Judge) else Judge(judge)


def _path(given: PathLike | None) -> Path | None:
    return None if given is None else Path(given)


def _row(number: int, pair: Any, policy: Guideline) -> dict[str, Any]:
    fix = 'give pairs like ("wool scarf", {"title": "Merino scarf"})'
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InputError(f"pairs, row {number}: is not a pair of a query and a candidate", fix)
    query, candidate = pair
    if isinstance(candidate, str):
        candidate = {policy.fields[0].name: candidate}
    if not isinstance(candidate, Mapping):
        raise InputError(f"pairs, row {number}: the candidate is a {type(candidate).__name__}", fix)
    texts = {field.name: candidate.get(field.name) for field in policy.fields}
    if candidate and not texts.keys() & candidate.keys():
        what = f"pairs, row {number}: the candidate has {', '.join(map(str, list(candidate)[:12]))}, and no field"
        raise InputError(f"{what} that the guideline reads", f"give some of {', '.join(texts)}")
    return {"query": query, "candidate_id": str(number), "locale": candidate.get("locale"), **texts}
