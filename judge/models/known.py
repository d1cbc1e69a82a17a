"""Larger judges that can be named: instruction-tuned models of the Hugging Face Hub under an open licence.

Sizes and licences are those of their cards. None comes with the package, and none is measured here: what each reaches
on your shop, `judge agree` tells.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownModel:
    """A model that a short name stands for."""

    name: str
    repo: str
    """On the Hub."""
    billions: float
    """Parameters, in billions."""
    licence: str = "Apache-2.0"

    def gigabytes(self, bytes_each: int) -> float:
        """Memory for its weights and what a batch takes besides: parameters times bytes, and a fifth more."""
        return self.billions * bytes_each * 1.2


KNOWN = {
    model.name: model
    for model in (
        KnownModel("smollm2-360m", "HuggingFaceTB/SmolLM2-360M-Instruct", 0.36),
        KnownModel("qwen2.5-0.5b", "Qwen/Qwen2.5-0.5B-Instruct", 0.49),
        KnownModel("qwen3-0.6b", "Qwen/Qwen3-0.6B", 0.6),
        KnownModel("qwen2.5-1.5b", "Qwen/Qwen2.5-1.5B-Instruct", 1.54),
        KnownModel("smollm2-1.7b", "HuggingFaceTB/SmolLM2-1.7B-Instruct", 1.71),
        KnownModel("granite-3.3-2b", "ibm-granite/granite-3.3-2b-instruct", 2.53),
        KnownModel("qwen3-4b", "Qwen/Qwen3-4B-Instruct-2507", 4.02),
        KnownModel("mistral-7b", "mistralai/Mistral-7B-Instruct-v0.3", 7.25),
        KnownModel("qwen2.5-7b", "Qwen/Qwen2.5-7B-Instruct", 7.62),
        KnownModel("granite-3.3-8b", "ibm-granite/granite-3.3-8b-instruct", 8.17),
    )
}
"""By name, the smallest first."""


def repository(name: str) -> str:
    """What a name, with or without `@revision`, stands for on the Hub; itself where it stands for nothing."""
    short, at, revision = name.partition("@")
    return KNOWN[short].repo + at + revision if short in KNOWN else name
