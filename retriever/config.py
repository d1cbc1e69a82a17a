"""How a retriever is trained: `train.yaml` next to this file says what each key means and what it is unless given."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from judge.documents import fault
from judge.errors import InputError
from judge.records import Record
from judge.settings import load_settings

LOSSES = ("supcon", "circle", "mnrl", "cosent")
Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class RetrieverConfig(Record):
    """All of `train.yaml`; what the keys mean is said there."""

    loss: Literal["supcon", "circle", "mnrl", "cosent"]
    late: bool
    soft: bool
    misspell: Annotated[float, Field(ge=0, le=1)]
    unjudged: Literal["negative", "ignore"]
    temperature: Positive
    scale: Positive
    margin: Annotated[float, Field(ge=0, le=1)]
    gamma: Positive
    spread: Positive
    tokens: CountOrNone
    queries: Count
    documents: Annotated[int, Field(ge=2)]
    layers: CountOrNone
    epochs: Count
    learning_rate: Positive
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0)]
    clip: Positive
    checkpoint_every: Count
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    device: Literal["auto", "cpu", "cuda"]

    @model_validator(mode="after")
    def _soft_labels_need_a_loss_for_them(self) -> "RetrieverConfig":
        if self.soft and self.loss != "cosent":
            raise ValueError(f"soft labels and {self.loss} do not go together: choose loss: cosent")
        return self

    @property
    def blind(self) -> bool:
        """Whether unjudged documents of other queries are negatives."""
        return self.unjudged == "negative" and self.loss in ("supcon", "mnrl")

    def changed(self, **keys: Any) -> "RetrieverConfig":
        """The same with some keys replaced.

        Raises:
            InputError: A key does not exist, or has a value that cannot be.
        """
        try:
            return RetrieverConfig.model_validate({**self.model_dump(), **keys})
        except ValidationError as error:
            raise InputError(fault(error), "retriever/train.yaml lists the keys and values") from None


def load_config(path: Path | None = None) -> RetrieverConfig:
    """The defaults, with a user's file over them.

    Raises:
        InputError: The file cannot be read, has a key that does not exist, or a value that cannot be.
    """
    return load_settings(RetrieverConfig, "retriever", "train.yaml", path)
