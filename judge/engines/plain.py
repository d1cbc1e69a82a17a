"""Models of a plain shape, read straight from their files: what transformers and peft would make of them, to the bit.

Importing transformers' models and peft takes longer than judging some hundred pairs does. Where config, names and
shapes say that nothing is special, neither is needed: a layer is read, gets its adapter, is packed and is let go.
Whatever this module does not know by name it leaves to `judge.engines.loading`, which knows all of it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.engines.lora import PREFIX, WEIGHTS, Lora
from judge.engines.packed_model import Shape
from judge.engines.processor import give_back
from judge.engines.product import Room
from judge.engines.weights import read_header, read_tensors
from judge.models.model import read_config

BIASES: Mapping[str, tuple[str, ...]] = {"llama": (), "mistral": (), "qwen2": ("q_proj", "k_proj", "v_proj")}
"""Kinds of model, and which of their layers' products have a bias."""
CLASSES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM"}
NUMBERS = frozenset({"F32", "BF16", "F16"})
NEEDED = frozenset(
    {"architectures", "model_type", "hidden_act", "hidden_size", "intermediate_size", "rms_norm_eps"}
) | {*("num_attention_heads", "num_hidden_layers", "num_key_value_heads", "tie_word_embeddings", "vocab_size")}
"""Keys of config.json without which its meaning would be transformers' defaults."""
HARMLESS = frozenset({"_name_or_path", "_model_name_or_path", "transformers_version", "dtype", "torch_dtype"}) | {
    *("attention_dropout", "bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "initializer_range"),
    *("max_position_embeddings", "max_window_layers", "pretraining_tp", "use_cache", "is_llama_config"),
}
"""Keys that change no answer."""
PRODUCTS = tuple(f"self_attn.{part}_proj" for part in "qkvo") + tuple(
    f"mlp.{part}_proj" for part in ("gate", "up", "down")
)


@dataclass(frozen=True)
class PlainModel:
    """A model directory of a plain shape."""

    directory: Path
    layers: int
    heads: int
    groups: int
    width: int
    """Of a head."""
    epsilon: float
    theta: float
    tied: bool
    places: Mapping[str, Path]
    """Which file has a tensor."""
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def linear(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the products that an adapter may target here, by module."""
        return {
            module: self.shapes[f"{module}.weight"]
            for layer in range(self.layers)
            for module in (f"model.layers.{layer}.{product}" for product in PRODUCTS)
        }

    @property
    def other_modules(self) -> Iterator[str]:
        """Names of all other modules that transformers makes of it."""
        yield from ("", "model", "model.layers", "model.embed_tokens", "model.norm", "model.rotary_emb", "lm_head")
        for layer in range(self.layers):
            before = f"model.layers.{layer}"
            parts = ("self_attn", "mlp", "mlp.act_fn", "input_layernorm", "post_attention_layernorm")
            yield from (before, *(f"{before}.{part}" for part in parts))

    def slots(self, lora: Lora) -> dict[str, tuple[int, ...]] | None:
        """Names and shapes of the tensors that an adapter's config asks for; null where it is of no plain kind."""
        config = lora.config
        if config.use_dora or config.fan_in_fan_out or config.rank_pattern or config.alpha_pattern or lora.vocabulary:
            return None
        if config.target_modules == "all-linear":
            named = self.linear
        elif any(config.names(module) for module in self.other_modules):
            return None
        else:
            named = {module: shape for module, shape in self.linear.items() if config.names(module)}
        found: dict[str, tuple[int, ...]] = {}
        for module, (out, into) in named.items():
            found[f"{PREFIX}{module}.lora_A.weight"] = (config.r, into)
            found[f"{PREFIX}{module}.lora_B.weight"] = (out, config.r)
        return found or None

    def shape(self) -> Shape:
        """What a `PackedModel` is told of it."""
        return Shape(self.heads, self.groups, self.width, self.layers, self.epsilon, self._turn())

    def _turn(self) -> Callable[[Any], Any]:
        import torch

        rates = 1.0 / (self.theta ** (torch.arange(0, self.width, 2, dtype=torch.float) / self.width))

        def turn(positions: Any) -> Any:
            angles = positions[0, :, None, None].float() * rates
            return torch.complex(angles.cos(), angles.sin())

        return turn


class FileWeights:
    """The tensors of a plain model in fp32, an adapter merged into them, as they are asked for.

    Args:
        model: Where they lie.
        lora: The adapter, checked, of which `model.slots` gives the places.
    """

    def __init__(self, model: PlainModel, lora: Lora | None = None) -> None:
        from safetensors import safe_open

        self._model, self._taken, self._room = model, list[Any](), Room()
        files = sorted(set(model.places.values()))
        self._files = {path: safe_open(path, framework="pt") for path in files}
        self._lora = {} if lora is None else read_tensors(lora.directory / WEIGHTS)
        self._scale = 0.0 if lora is None else lora.config.scale
        self._shared: Any = None

    def __call__(self, name: str) -> Any | None:
        """A tensor by its name in transformers' models; null where the model has none of that name."""
        if self._model.tied and name in ("model.embed_tokens.weight", "lm_head.weight"):
            if self._shared is None:
                self._shared = self._read("model.embed_tokens.weight")
            return self._shared
        return self._read(name)

    def _read(self, name: str) -> Any | None:
        import torch

        if name not in self._model.places:
            return None
        file: Any = self._files[self._model.places[name]]
        stored = file.get_tensor(name)
        found = stored.to(torch.float32)
        before = f"{PREFIX}{name.removesuffix('.weight')}.lora_"
        if (b := self._lora.get(f"{before}B.weight")) is not None:
            change = self._room(*found.shape)
            torch.mm(b.float(), self._lora[f"{before}A.weight"].float(), out=change)
            found = change.mul_(self._scale).add_(found)
        self._taken.append(stored)
        return found

    def let_go(self, layer: int) -> None:
        """Give back the memory of what was asked for since the last call, which nobody may use any more."""
        for tensor in self._taken:
            give_back(tensor)
        self._room.free()
        self._taken = []

    def keep(self) -> None:
        """What was asked for since the last call stays in use."""
        self._taken, self._room = [], Room()


def find_plain(directory: Path) -> PlainModel | None:
    """A directory's model, where nothing about it is special.

    Raises:
        ModelError: A weights file is cut off or damaged.
    """
    config = read_config(directory)
    kind, theta = str(config.get("model_type")), _theta(config)
    if not config.keys() >= NEEDED or kind not in BIASES or theta is None or not _usual(config):
        return None
    if config["hidden_act"] != "silu" or config["architectures"] != [CLASSES[kind]]:
        return None
    sizes = ("num_hidden_layers", "num_attention_heads", "num_key_value_heads", "hidden_size")
    if not all(type(config[name]) is int and config[name] > 0 for name in (*sizes, "intermediate_size", "vocab_size")):
        return None
    layers, heads, groups, hidden = (config[name] for name in sizes)
    width = config.get("head_dim") or hidden // heads
    epsilon, tied = config["rms_norm_eps"], config["tie_word_embeddings"]
    if type(width) is not int or width % 2 or heads % groups or type(epsilon) is not float or type(tied) is not bool:
        return None
    wanted = _tensors(kind, layers, config, (heads * width, groups * width), tied)
    places: dict[str, Path] = {}
    for path in _files(directory):
        for name, (number, shape) in read_header(path).items():
            if name in places or number not in NUMBERS or wanted.get(name) != shape:
                return None
            places[name] = path
    if places.keys() != wanted.keys():
        return None
    return PlainModel(directory, layers, heads, groups, width, epsilon, theta, tied, places, wanted)


def _usual(config: Mapping[str, Any]) -> bool:
    """Whether every key of a config is one that we know, and asks for nothing special."""
    off = ("attention_bias", "mlp_bias", "rope_interleaved", "use_sliding_window", "rope_scaling", "sliding_window")
    read = {*NEEDED, *HARMLESS, *off, "head_dim", "rope_theta", "rope_parameters", "layer_types"}
    windowed = any(config.get(name) for name in off[:-1])
    if config["model_type"] == "mistral":  # its window is 4,096 unless it is said to be none
        windowed |= "sliding_window" not in config or config["sliding_window"] is not None
    elif config["model_type"] != "qwen2":  # which has a width there that `use_sliding_window` turns on
        windowed |= bool(config.get("sliding_window"))
    full = set(config.get("layer_types") or ["full_attention"]) == {"full_attention"}
    return config.keys() <= read and not windowed and full


def _theta(config: Mapping[str, Any]) -> float | None:
    """The base of the plain rotation; null where it is another."""
    found = config.get("rope_parameters")
    if found is None:
        found = {"rope_theta": config.get("rope_theta")}
    elif "rope_theta" in config or not isinstance(found, dict):
        return None
    theta: Any = found.get("rope_theta")
    plain = found.get("rope_type", "default") == "default" and found.keys() <= {"rope_type", "rope_theta"}
    return theta if plain and type(theta) in (int, float) and theta > 0 else None


def _files(directory: Path) -> list[Path]:
    """The weights files that transformers would read; none where the directory has others, too."""
    index, found = directory / "model.safetensors.index.json", sorted(directory.glob("*.safetensors"))
    if found == [directory / "model.safetensors"]:
        return found
    if not index.is_file():
        return []
    try:
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (ValueError, LookupError, TypeError, AttributeError):
        return []
    return found if named == {path.name for path in found} else []


def _tensors(
    kind: str, layers: int, config: Mapping[str, Any], widths: tuple[int, int], tied: bool
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of a model."""
    hidden, inner, words = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    out, near = widths
    shapes = [(out, hidden), (near, hidden), (near, hidden), (hidden, out), (inner, hidden), (inner, hidden)]
    one: dict[str, tuple[int, ...]] = {
        "input_layernorm.weight": (hidden,),
        "post_attention_layernorm.weight": (hidden,),
    }
    for product, shape in zip(PRODUCTS, [*shapes, (hidden, inner)], strict=True):
        one[f"{product}.weight"] = shape
        if product.rpartition(".")[2] in BIASES[kind]:
            one[f"{product}.bias"] = shape[:1]
    found = {f"model.layers.{layer}.{name}": shape for layer in range(layers) for name, shape in one.items()}
    found |= {"model.embed_tokens.weight": (words, hidden), "model.norm.weight": (hidden,)}
    return found if tied else found | {"lm_head.weight": (words, hidden)}
