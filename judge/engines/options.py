"""Options of engines: `engines.yaml` next to this file says what each key means and what it is unless given."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from judge.records import Record
from judge.settings import load_settings, over

Count = Annotated[int, Field(ge=1)]
CountOrAuto = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0)]
NumberType = Literal["bfloat16", "float16", "float32"]


class TransformersOptions(Record):
    """For `--engine transformers`."""

    workers: CountOrAuto
    batch_tokens: CountOrAuto


class VllmOptions(Record):
    """For `--engine vllm`."""

    gpu_memory: Annotated[float, Field(gt=0, le=1)]
    context: Count
    batch_tokens: CountOrAuto
    batch_prompts: CountOrAuto
    block: Count
    prefix_block: CountOrAuto
    path: Literal["generate", "classify"]
    eager: bool
    tensor_parallel_size: Count
    devices: Annotated[str, Field(pattern=r"^([\w-]+(,[\w-]+)*)?$")]
    dtype: NumberType | None
    quantization: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")] | None
    adapter: Literal["merge", "apply"]
    own_process: bool | None


class ServerOptions(Record):
    """For `--engine server`."""

    model: str
    prompts: Count
    concurrency: Count
    timeout: Seconds
    attempts: Count
    pause: Seconds
    key_variable: str
    labels_by: Literal["logprob_token_ids", "logprobs"]
    top: Count


class ChatOptions(Record):
    """For `--engine chat`."""

    answers: Literal["auto", "json_schema", "json_object", "plain"]
    logprobs: Literal["auto", "never"]
    top: Annotated[int, Field(ge=1, le=20)]
    samples: Annotated[int, Field(ge=1, le=1000)]
    per_request: Annotated[int, Field(ge=1, le=100)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]
    max_tokens: CountOrAuto
    concurrency: Count
    timeout: Seconds
    attempts: Count
    pause: Seconds
    largest: Count
    key_variable: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]

    @property
    def wanted_temperature(self) -> float:
        """The temperature to ask for: where samples are drawn, answers must be able to differ."""
        return self.temperature if self.temperature is not None else 1.0 if self.samples > 1 else 0.0

    @property
    def wanted_tokens(self) -> int:
        """The most tokens that an answer may have."""
        return self.max_tokens or 32 + 24 * self.per_request


class EngineOptions(Record):
    """All of `engines.yaml`."""

    transformers: TransformersOptions
    vllm: VllmOptions
    server: ServerOptions
    chat: ChatOptions

    def changed(self, **sections: Mapping[str, Any]) -> "EngineOptions":
        """These options with some keys of some sections replaced, checked."""
        return type(self).model_validate(over(self.model_dump(), sections))


def default_options() -> EngineOptions:
    """What holds unless the user says otherwise."""
    return load_options()


def load_options(path: Path | None = None, more: Mapping[str, type[Record]] | None = None) -> EngineOptions:
    """The defaults, with a user's file over them.

    Args:
        path: The user's file.
        more: Sections of engines that `engines.yaml` does not know; each of their keys has a default.

    Raises:
        InputError: The file cannot be read, has a key that does not exist, or a value that cannot be.
    """
    others = {name: kind for name, kind in (more or {}).items() if name not in EngineOptions.model_fields}
    sections: dict[str, Any] = {name: (kind, Field(default_factory=kind)) for name, kind in others.items()}
    kind = create_model("EngineOptions", __base__=EngineOptions, **sections) if sections else EngineOptions
    return load_settings(kind, "judge.engines", "engines.yaml", path)
