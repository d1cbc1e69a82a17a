"""An engine without a model: the real interface, grades drawn from the prompt's digest.

For trying out pipelines, for measuring everything that is not the model, and for tests. Its labels mean nothing, and
its fingerprint says so: the judge is named `fake`.
"""

import math
import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

from judge.models.model import JudgeModel
from judge.records import Failure, Prompt, Scores

FAKE_MODEL = JudgeModel("fake", Path(), None, None, "none")


class FakeTokenizer:
    """Every byte of UTF-8 is a token."""

    def plain(self, texts: Sequence[str]) -> list[list[int]]:
        """See `Tokenizer.plain`."""
        return [list(text.encode("utf-8")) for text in texts]

    def control(self, text: str) -> list[int]:
        """See `Tokenizer.control`."""
        return list(text.encode("utf-8"))

    def text(self, ids: Sequence[int]) -> str:
        """See `Tokenizer.text`."""
        return bytes(ids).decode("utf-8", "replace")

    def frame(self) -> tuple[str, str, str]:
        """See `Tokenizer.frame`."""
        return "", "\n\n", "\n"


class FakeEngine:
    """Scores that depend on the prompt alone.

    Args:
        delay: Seconds to spend on a prompt.
        fail: Answer `Failure` for prompts whose candidate holds this text.
    """

    block = 2048

    def __init__(self, delay: float = 0.0, fail: str = "") -> None:
        self.delay = delay
        self.fail = fail.encode()

    def score(self, prompts: Sequence[Prompt]) -> list[Scores | Failure]:
        """See `Engine.score`."""
        if self.delay:
            time.sleep(self.delay * len(prompts))
        return [self._score(prompt) for prompt in prompts]

    def _score(self, prompt: Prompt) -> Scores | Failure:
        text = bytes(prompt.query) + bytes(prompt.candidate)
        if self.fail and self.fail in text:
            return Failure("the fake engine was told to fail here")
        drawn = blake2b(text, digest_size=2 * len(prompt.labels)).digest()
        weights = [1 + drawn[2 * i] * 256 + drawn[2 * i + 1] for i in range(len(prompt.labels))]
        # A fixed share stays outside the labels, as with a real judge.
        total = sum(weights) / 0.99
        return Scores(tuple(math.log(weight / total) for weight in weights), 0.01)
