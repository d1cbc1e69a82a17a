"""What is kept of the pairs that a calibration was held against: figures alone, no texts and no ids."""

from typing import Annotated

from pydantic import Field, model_validator

from judge.records import Record


class HeldOut(Record):
    """What choosing a threshold needs of held-out pairs."""

    confidence: tuple[Annotated[float, Field(ge=0, le=1)], ...]
    """The likeliest grade's calibrated probability."""
    wrong: tuple[bool, ...]
    """Whether that grade is not the people's commonest."""
    query: tuple[Annotated[int, Field(ge=0)], ...]
    """Which query each pair belongs to, counted from 0."""

    @model_validator(mode="after")
    def _is_of_as_many_pairs(self) -> "HeldOut":
        if not len(self.confidence) == len(self.wrong) == len(self.query):
            raise ValueError("confidence, wrong and query are of different numbers of pairs")
        if max(self.query, default=-1) >= len(self.query):
            raise ValueError(f"query counts to {max(self.query)} with {len(self.query)} pairs")
        return self
