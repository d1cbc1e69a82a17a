"""How a judge is fine-tuned: `lora.yaml` next to this file says what each key means and what it is unless given."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from judge.calibration.cuts import Objective
from judge.errors import InputError
from judge.records import Record
from judge.settings import load_settings
from judge.words.guideline import Guideline

Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Part = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]

EARLIER = {"warm_pairs": "synthetic_pairs", "hostile": "adversarial", "respelt": "query_noise"}
"""What keys were called before; saved configurations have these."""


class LoraConfig(Record):
    """All of `lora.yaml`; what the keys mean is said there."""

    template: str
    fields: Mapping[str, Count]
    query_tokens: CountOrNone
    candidate_tokens: CountOrNone
    targets: Literal["distribution", "dawid-skene", "majority"]
    balance_grades: Part
    balance_queries: Part
    synthetic_pairs: CountOrNone
    adversarial: Part
    query_noise: Part
    validation: Annotated[float, Field(gt=0, lt=1)]
    calibration: Share
    features: tuple[Literal["judge", "cosine", "overlap"], ...]
    objective: Objective
    least_per_grade: Count
    rank: Count
    alpha: Positive
    dropout: Share
    modules: Annotated[tuple[str, ...], Field(min_length=1)]
    learning_rate: Positive
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0)]
    clip: Positive
    epochs: Count
    batch_pairs: Count
    batch_tokens: Count
    evaluate_every: CountOrNone
    patience: Count
    checkpoint_every: Count
    seed: CountOrNone
    device: Literal["auto", "cpu", "cuda"]

    def changed(self, **keys: Any) -> "LoraConfig":
        """The same with some keys replaced, checked.

        Raises:
            InputError: A key is given under two names.
            pydantic.ValidationError: There is no such key, or a value cannot be.
        """
        return LoraConfig.model_validate({**self.model_dump(), **current(keys)})

    def narrowed(self, guideline: Guideline) -> Guideline:
        """A guideline with the fields and budgets that this chooses, its words unchanged.

        Raises:
            InputError: There is no such field.
        """
        known = {field.name: field for field in guideline.fields}
        if strange := [name for name in self.fields if name not in known]:
            raise InputError(
                f"fields: the guideline {guideline.name!r} has no field {strange[0]!r}",
                f"choose from {', '.join(known)}",
            )
        chosen = [{**known[name].model_dump(), "tokens": tokens} for name, tokens in self.fields.items()]
        whole = guideline.model_dump(mode="json")
        return Guideline.model_validate(
            whole
            | {"fields": chosen or whole["fields"]}
            | {"query_tokens": self.query_tokens or guideline.query_tokens}
            | {"candidate_tokens": self.candidate_tokens or guideline.candidate_tokens}
        )


def load_config(path: Path | None = None, below: Mapping[str, Any] | None = None) -> LoraConfig:
    """The defaults, with `below` over them, and a user's file over both.

    Raises:
        InputError: The file cannot be read, has a key that does not exist, or a value that cannot be.
    """
    return load_settings(LoraConfig, "finetune", "lora.yaml", path, below, current)


def current(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Keys that version 0.1.1 wrote by the names of today; the others as they are.

    Raises:
        InputError: A key is given under both names.
    """
    if twice := [(old, new) for old, new in EARLIER.items() if {old, new} <= keys.keys()]:
        raise InputError(f"{twice[0][0]}: is the earlier name of {twice[0][1]}, which is given too", "keep one of them")
    return {EARLIER.get(name, name): value for name, value in keys.items()}
