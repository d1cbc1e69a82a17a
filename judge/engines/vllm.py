"""vLLM in this process: on GPUs at scale, and on its build for processors the same.

Prompts go in as token ids, ordered so that its prefix cache finds what they share. One token is generated, and only the
log-probabilities of the labels come back (`generate`); or the labels' rows of the vocabulary become a classifier's head
(`classify`), which is less work a prompt but does not tell the mass outside the labels.

Two faults of vLLM (0.32, seen on processors) would give wrong results without an error, and are kept out here:

- A request without an adapter, in a batch with some that have one, gets the adapter too, unless an adapter slot is
  spare. All requests of an engine have the same adapter or none, and one slot more than adapters is always open.
- Two kinds of log-probability requests in one batch corrupt each other. An engine makes one kind only.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from judge.documents import reading
from judge.engines.merged import merged_folder
from judge.engines.options import VllmOptions, default_options
from judge.engines.vllm_setup import (
    AppliedAdapter,
    arguments,
    check_gpus,
    check_version,
    merges,
    number_type,
    set_environment,
)
from judge.errors import EngineError, InputError, ModelError
from judge.models.model import CONFIG, read_config
from judge.records import Failure, Prompt, Scores


class VllmEngine:
    """A model directory served by vLLM.

    Args:
        directory: config, safetensors weights and tokenizer.
        options: Memory, batches and path; `engines.yaml` unless given.
        adapter: A peft LoRA adapter's directory; merged, or applied to each request, as the options say.

    Raises:
        InputError: The options do not go together.
        ModelError: vLLM cannot load the model or the adapter, or would compute other logits than the model's.
    """

    def __init__(self, directory: Path, options: VllmOptions | None = None, adapter: Path | None = None) -> None:
        self._options = options or default_options().vllm
        self.block = self._options.block
        self._device, self._dtype = number_type(self._options)
        check_gpus(directory, self._options, self._device, gpus())
        self._adapter: AppliedAdapter | None = None
        if adapter is not None and not merges(directory, self._options):
            if self._options.path == "classify":
                fix = "set vllm.adapter to merge, or vllm.path to generate"
                if self._options.adapter == "merge":
                    fix = "the base is quantised, so that nothing can be merged into it: set vllm.path to generate"
                raise InputError("vllm.path: classify needs an adapter that is merged into the weights", fix)
            if self._device == "cuda" and self._dtype == "float32":
                raise ModelError(
                    "vLLM applies adapters in 16 bits only, and this GPU computes in fp32",
                    "set vllm.adapter to merge, or use --engine transformers",
                )
            self._adapter = AppliedAdapter(adapter, directory)
        elif adapter is not None:
            check_version()
            directory = merged_folder(directory, adapter, self._dtype)
        self._directory = directory
        if self._options.path == "classify":
            _check_head(directory)
        # The head of `classify` is cut from the labels' rows, which the first prompts name.
        self._llm: Any = self._start({}) if self._options.path == "generate" else None
        self._labels: tuple[int, ...] = ()

    def score(self, prompts: Sequence[Prompt]) -> list[Scores | Failure]:
        """See `Engine.score`."""
        room = self._options.context - 1
        results: list[Scores | Failure] = [
            Failure(f"the prompt has {count} tokens; vllm.context leaves room for {room}")
            for count in (len(prompt.shared) + len(prompt.query) + len(prompt.candidate) for prompt in prompts)
        ]
        fits = [i for i, prompt in enumerate(prompts) if len(prompt.ids) <= room]
        if not fits:
            return results
        ask = self._generate if self._options.path == "generate" else self._classify
        try:
            answers = ask([{"prompt_token_ids": prompts[i].ids} for i in fits], prompts[fits[0]].labels)
        except (RuntimeError, ValueError) as error:
            hint = "lower vllm.gpu_memory or vllm.batch_tokens in --engine-config if memory ran out"
            raise EngineError(f"vLLM failed while scoring ({error})", hint) from error
        for index, answer in zip(fits, answers, strict=True):
            results[index] = answer
        return results

    def _generate(self, prompts: list[Any], labels: tuple[int, ...]) -> list[Scores | Failure]:
        from vllm import SamplingParams

        ask = SamplingParams(max_tokens=1, temperature=0.0, logprob_token_ids=list(labels), detokenize=False)
        adapter = self._adapter and self._adapter.request()
        outputs = self._llm.generate(prompts, ask, use_tqdm=False, lora_request=adapter)
        return [_scores(output.outputs[0].logprobs, labels) for output in outputs]

    def _classify(self, prompts: list[Any], labels: tuple[int, ...]) -> list[Scores | Failure]:
        if self._labels not in ((), labels):
            raise EngineError("the prompts' labels changed during the run", "start a new run")
        if self._llm is None:
            self._labels, self._llm = labels, self._start(_head(self._directory, labels))
        outputs = self._llm.classify(prompts, use_tqdm=False)
        return [Scores(tuple(math.log(max(p, 1e-38)) for p in output.outputs.probs), None) for output in outputs]

    def _start(self, head: dict[str, Any]) -> Any:
        set_environment(self._options, self._device)
        check_version()
        from vllm import LLM

        given = arguments(self._directory, self._options, self._device, self._dtype)
        try:
            return LLM(**{**given, **head, **(self._adapter.room() if self._adapter else {})})
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(
                f"{self._directory}: vLLM cannot load it ({error})",
                "try --engine transformers; or give vLLM less: vllm.context, vllm.gpu_memory in --engine-config",
            ) from error


def gpus() -> int:
    """How many GPUs this process sees."""
    import torch

    return int(torch.cuda.device_count())


def _scores(steps: Any, labels: tuple[int, ...]) -> Scores | Failure:
    found = steps[0] if steps else {}
    if any(label not in found for label in labels):
        return Failure("vLLM gave no log-probability for a label")
    return scores_of([float(found[label].logprob) for label in labels])


def scores_of(logprobs: Sequence[float]) -> Scores:
    """Scores from the labels' log-probabilities over the whole vocabulary."""
    return Scores(tuple(logprobs), min(1.0, max(0.0, 1.0 - math.fsum(map(math.exp, logprobs)))))


def _check_head(directory: Path) -> None:
    """Refuse models that scale or cap what comes out of the head: vLLM's classifiers leave that out."""
    from transformers import AutoConfig

    other = "set vllm.path: generate in --engine-config"
    with reading(directory / "config.json", CONFIG, "transformers makes nothing of it"):
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False).get_text_config()
    keys = ("logits_scaling", "logit_scale", "final_logit_softcapping")
    if found := [name for name in keys if getattr(config, name, None) not in (None, 1)]:
        raise ModelError(f"{directory}: has {found[0]}, which vLLM leaves out with vllm.path: classify", other)


def _head(directory: Path, labels: tuple[int, ...]) -> dict[str, Any]:
    """What makes vLLM cut a classifier's head from the labels' rows of the vocabulary."""
    from transformers import AutoTokenizer

    names = AutoTokenizer.from_pretrained(directory, trust_remote_code=False).convert_ids_to_tokens(list(labels))
    made_as = read_config(directory).get("architectures")
    kind = str(made_as[0] if isinstance(made_as, list) and made_as else "").replace(
        "ForCausalLM", "ForSequenceClassification"
    )
    overrides = {
        "architectures": [kind],
        "classifier_from_token": names,
        "method": "no_post_processing",
        "num_labels": len(names),
    }
    return {"runner": "pooling", "convert": "classify", "hf_overrides": overrides}
