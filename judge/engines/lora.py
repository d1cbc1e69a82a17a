"""A LoRA adapter as peft saves it: its config and the names and shapes of its tensors, before anything is loaded.

What would not be applied as it was trained is refused by name. The rules by which a config names layers are those of
peft (`tuners_utils.check_target_module_exists`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StrictBool, StrictInt, StrictStr

from judge.documents import Kind, check, load
from judge.engines.weights import read_header
from judge.errors import ModelError
from judge.records import Record

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
ADAPTER = Kind("copy the adapter again, as peft saved it", ModelError)
PREFIX = "base_model.model."
"""What peft puts before the names of the base's modules."""
WITHOUT_EFFECT = frozenset(
    {"auto_mapping", "corda_config", "eva_config", "inference_mode", "loftq_config"}
) | frozenset({"lora_ga_config", "lora_dropout", "megatron_core", "peft_version", "qalora_group_size", "revision"})
"""Keys that concern training alone, or nothing unless another key is set that is refused."""
OWN_START = re.compile(r"pissa|olora|corda|loftq|lora_ga")
"""Values of `init_lora_weights` that change the base's weights before training begins."""

Targets = list[StrictStr] | StrictStr | None
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Rank = Annotated[StrictInt, Field(ge=1)]
Shapes = Mapping[str, tuple[int, ...]]


class LoraConfig(Record):
    """What is read of `adapter_config.json`; other keys must be empty or `WITHOUT_EFFECT`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    peft_type: StrictStr
    task_type: StrictStr | None = None
    base_model_name_or_path: StrictStr | None = None
    r: Rank
    lora_alpha: Annotated[Number, Field(gt=0)] = 8.0
    target_modules: Targets
    exclude_modules: Targets = None
    layers_to_transform: list[StrictInt] | StrictInt | None = None
    layers_pattern: list[StrictStr] | StrictStr | None = None
    rank_pattern: Mapping[str, Rank] = {}
    alpha_pattern: Mapping[str, Number] = {}
    init_lora_weights: StrictBool | StrictStr | None = True
    fan_in_fan_out: StrictBool = False
    use_dora: StrictBool = False
    use_rslora: StrictBool = False
    bias: StrictStr = "none"

    def names(self, module: str) -> bool:
        """Whether the config names a module of the base to have LoRA weights."""
        if _matches(self.exclude_modules, module) or not _matches(self.target_modules, module):
            return False
        chosen = self.layers_to_transform
        if chosen is None or chosen == [] or isinstance(self.target_modules, str):
            return True
        patterns = self.layers_pattern or r"[^.]*"
        patterns = [patterns] if isinstance(patterns, str) else patterns
        found = next((hit for p in patterns if (hit := re.match(rf".*\.{p}\.(\d+)\.", module))), None)
        return found is not None and int(found[1]) in ([chosen] if isinstance(chosen, int) else chosen)

    @property
    def scale(self) -> float:
        """What the product of its matrices is multiplied by, where no pattern says otherwise."""
        return self.lora_alpha / (self.r**0.5 if self.use_rslora else self.r)

    def rank(self, module: str) -> int:
        """The rank of a module's LoRA weights."""
        return next((r for p, r in self.rank_pattern.items() if re.match(rf"(.*\.)?({p})$", module)), self.r)


@dataclass(frozen=True)
class Lora:
    """An adapter's config, and the names and shapes of its tensors."""

    directory: Path
    config: LoraConfig
    shapes: Shapes

    @cached_property
    def modules(self) -> frozenset[str]:
        """The base's modules that it has tensors for."""
        return frozenset(name.removeprefix(PREFIX).rpartition(".lora_")[0] for name in self.shapes if ".lora_" in name)

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Copies of the base's own vocabulary: peft saves them along where an adapter targets it."""
        return frozenset(name for name in self.shapes if name.endswith(".base_layer.weight") and ".lora_" not in name)

    def fit(self, slots: Shapes, base: object) -> None:
        """Refuse tensors without a place and places without a tensor.

        Args:
            slots: Names and shapes of the places that `config` makes in a base.
            base: What it is called in the error.

        Raises:
            ModelError: One of them, with the numbers, or a shape that differs.
        """
        own = {name: shape for name, shape in self.shapes.items() if name not in self.vocabulary}
        strange, empty = sorted(own.keys() - slots.keys()), sorted(slots.keys() - own.keys())
        said = []
        if strange:
            said.append(f"{len(strange)} of its {len(own)} tensors fit no module of {base} ({strange[0]!r})")
        if empty:
            said.append(f"{len(empty)} of the {len(slots)} tensors that its config asks for are missing ({empty[0]!r})")
        if said:
            raise ModelError(f"{self.directory}: {'; '.join(said)}", _hint(self.config))
        other = [name for name, shape in own.items() if slots[name] and slots[name] != shape]
        if other:
            name = other[0]
            raise ModelError(
                f"{self.directory}: {len(other)} of its {len(own)} tensors have another shape than {base} and its "
                f"config have room for ({name!r} is {_shape(own[name])}, not {_shape(slots[name])})",
                _hint(self.config),
            )


def read_lora(directory: Path) -> Lora:
    """An adapter's config and the header of its weights, checked by themselves.

    Raises:
        ModelError: A file is missing or damaged, or the adapter is of a kind that would not be applied as it was
            trained.
    """
    path = directory / CONFIG
    if not path.is_file():
        raise ModelError(f"{directory}: holds no peft adapter ({CONFIG} is missing)", "name a peft LoRA adapter")
    # The kind is looked at before the keys: adapters of other kinds have other keys.
    found = load(path, dict[str, Any], ADAPTER)
    _check_kind(path, found.get("peft_type"))
    config = check(found, LoraConfig, ADAPTER, path)
    _check_supported(path, config)
    if not (directory / WEIGHTS).is_file():
        raise ModelError(f"{directory}: has no {WEIGHTS}", "save the adapter as safetensors")
    shapes = {name: shape for name, (_, shape) in read_header(directory / WEIGHTS).items()}
    return Lora(directory, config, shapes)


def _check_kind(path: Path, kind: object) -> None:
    """Refuse what is no LoRA adapter."""
    if not isinstance(kind, str):
        raise ModelError(f"{path}: names no peft_type: not a peft adapter", "name a peft LoRA adapter")
    if kind != "LORA":
        raise ModelError(f"{path.parent}: a LoRA adapter is wanted, this is {kind[:40]!r}", "name a peft LoRA adapter")


def _check_supported(path: Path, config: LoraConfig) -> None:
    hint = "merge it into its base with the library that trained it, and name the merged model as --judge"
    mapped = (config.model_extra or {}).get("auto_mapping")
    trained = str(mapped.get("base_model_class") or "") if isinstance(mapped, dict) else ""
    if config.task_type not in (None, "CAUSAL_LM") or re.search("Classification|QuestionAnswering", trained):
        raise ModelError(
            f"{path.parent}: was trained for another task ({config.task_type or trained}): a judge is a causal "
            "language model (CAUSAL_LM)",
            "name an adapter that was trained with task_type CAUSAL_LM",
        )
    extra = {name: value for name, value in (config.model_extra or {}).items() if name not in WITHOUT_EFFECT}
    own_start = OWN_START.match(str(config.init_lora_weights))
    found = [name for name, value in sorted(extra.items()) if value not in (None, False, "", "none", [], {})]
    found += ["bias"] * (config.bias != "none") + ["init_lora_weights"] * bool(own_start)
    if found:
        raise ModelError(f"{path}: sets {', '.join(found)}, which is not supported", hint)
    if not config.target_modules:
        raise ModelError(f"{path}: target_modules names no layers", "copy the adapter again, as peft saved it")
    try:
        for pattern in _patterns(config):
            re.compile(pattern)
    except re.error:
        raise ModelError(f"{path}: {pattern[:60]!r} is not a valid pattern", "copy the adapter again") from None


def _patterns(config: LoraConfig) -> list[str]:
    whole = [value for value in (config.target_modules, config.exclude_modules) if isinstance(value, str)]
    layers = config.layers_pattern or []
    return [*whole, *([layers] if isinstance(layers, str) else layers), *config.rank_pattern, *config.alpha_pattern]


def _matches(targets: Targets, module: str) -> bool:
    if not targets:
        return False
    if isinstance(targets, str):
        return re.fullmatch(targets, module) is not None
    return any(module == target or module.endswith(f".{target}") for target in targets)


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _hint(config: LoraConfig) -> str:
    name = config.base_model_name_or_path
    return f"name the base that it was trained on{f' ({name[:80]!r})' if name else ''}, or copy the adapter again"
