"""Llama-like models on a processor, with nothing computed or copied that a pack does not need.

transformers' own forward pass spends a third of a pack's time outside the matrix products. Here weights that meet the
same input are one matrix, norms' weights are folded into the matrices behind them, weights lie in the order in which
MKL's kernels read them where that is faster, rotation is one complex product in place, and the last layer computes the
labels' places alone.
The numbers are those of transformers but for fp32's rounding.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from judge.engines.packed import AttentionView, PackedLayout, merged
from judge.engines.processor import give_back
from judge.engines.product import Product, Room

TYPES = ("llama", "mistral", "qwen2")
"""`model_type`s whose layers are: norm, attention with rotation, norm, gated SiLU; with biases or without."""
HEAD_ROWS = 64
"""Places for which the vocabulary's head is read at once: few rows take it as long as these."""


@dataclass(frozen=True)
class Shape:
    """What a `PackedModel` has to know of a model beyond its weights."""

    heads: int
    groups: int
    """Heads of keys and values."""
    width: int
    """Of a head."""
    layers: int
    epsilon: float
    """Of the norms."""
    turn: Callable[[Any], Any]
    """Rotations of positions (1, N) as complex numbers, (N, 1, width / 2)."""


class Weights(Protocol):
    """Where a model's tensors come from."""

    def __call__(self, name: str) -> Any | None:
        """A tensor by its name in transformers' models, fp32; null where the model has none of that name."""
        ...

    def let_go(self, layer: int) -> None:
        """Free what was asked for since the last call, all of this layer."""
        ...

    def keep(self) -> None:
        """What was asked for since the last call stays in use."""
        ...


def fits(model: Any) -> bool:
    """Whether `PackedModel` knows a model's layers, and its weights are fp32 on a processor."""
    config, weight = model.config, model.lm_head.weight
    known = config.model_type in TYPES and config.hidden_act == "silu"
    return bool(known and weight.device.type == "cpu" and str(weight.dtype) == "torch.float32")


class LoadedWeights:
    """The tensors of a model that transformers has loaded.

    Args:
        model: fp32, on a processor, of one of `TYPES`.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, name: str) -> Any | None:
        """See `Weights`."""
        module, _, part = name.rpartition(".")
        found = getattr(self._model.get_submodule(module), part, None)
        return None if found is None else found.detach()

    def let_go(self, layer: int) -> None:
        """See `Weights`."""
        layers = self._model.model.layers
        for weight in layers[layer].parameters():
            give_back(weight)
        layers[layer] = None

    def keep(self) -> None:
        """See `Weights`."""

    @property
    def shape(self) -> Shape:
        """The model's."""
        config, inner = self._model.config, self._model.model
        width = inner.layers[0].self_attn.head_dim

        def turn(positions: Any) -> Any:
            import torch

            cosine, sine = inner.rotary_emb(inner.embed_tokens.weight[:1], positions)
            return torch.complex(cosine[0, :, None, : width // 2], sine[0, :, None, : width // 2])

        heads, groups = config.num_attention_heads, config.num_key_value_heads
        return Shape(heads, groups, width, config.num_hidden_layers, config.rms_norm_eps, turn)


class PackedModel:
    """A causal language model taken apart: each layer's own weights are freed on the way."""

    def __init__(self, shape: Shape, weights: Weights) -> None:
        self.share = shape.heads // shape.groups
        """How many heads have the same keys and values."""
        self._turn, self._epsilon = shape.turn, shape.epsilon
        self._layers = []
        room = Room()
        for index in range(shape.layers):
            last = index == shape.layers - 1
            self._layers.append(_Layer(shape, partial(_of_layer, weights, index), room, few=last))
            weights.let_go(index)
        self._embed, self._norm, self._head = (
            weights(f"{name}.weight") for name in ("model.embed_tokens", "model.norm", "lm_head")
        )
        weights.keep()

    def guideline(self, ids: Any) -> list[tuple[Any, Any]]:
        """Keys and values of a text that stands before others: for each layer two of shape (1, heads, K, d)."""
        import torch

        found: list[tuple[Any, Any]] = []
        hidden, turn = self._words(ids[0]), self._turn(torch.arange(ids.shape[1]).unsqueeze(0))
        for layer in self._layers:
            query, key, value = (part.transpose(0, 1).unsqueeze(0) for part in layer.project(hidden, turn))
            found.append((key.contiguous(), value.contiguous()))
            plain = torch.nn.functional.scaled_dot_product_attention
            seen = plain(query, key, value, is_causal=True, scale=1.0, enable_gqa=True)
            hidden = layer.finish(hidden, seen[0].transpose(0, 1))
        return found

    def last(self, place: PackedLayout) -> Any:
        """What the head reads where a pack's labels come, (labels' places, width)."""
        hidden, turn = self._words(place.ids[0]), self._turn(place.positions)
        for layer, prefix in zip(self._layers[:-1], place.prefix, strict=False):
            query, key, value = layer.project(hidden, turn)
            hidden = layer.finish(hidden, _attend(query, key, value, prefix, place.inner))
        # Behind the last attention nothing is read but the labels' places.
        query, key, value = self._layers[-1].project(hidden, turn)
        seen = _attend(query[place.last], key, value, place.prefix[-1], place.final)
        hidden = self._layers[-1].finish(hidden[place.last], seen)
        # In the order of transformers' norm.
        return self._norm * (hidden * (hidden.pow(2).mean(-1, keepdim=True) + self._epsilon).rsqrt())

    def logits(self, last: Any) -> Any:
        """Logits of the vocabulary, best for `HEAD_ROWS` rows of `last` at once."""
        import torch

        return torch.nn.functional.linear(last, self._head)

    def _words(self, ids: Any) -> Any:
        import torch

        return torch.nn.functional.embedding(ids, self._embed)


class _Layer:
    """A layer as four products, those behind attention perhaps for few rows."""

    def __init__(self, shape: Shape, parts: Callable[[str], list[Any]], room: Room, *, few: bool) -> None:
        self._heads, self._groups, self._width = shape.heads, shape.groups, shape.width
        self._epsilon = shape.epsilon
        query, key = (_paired(parts(f"self_attn.{name}_proj"), shape.width) for name in "qk")
        stacked = [query, key, parts("self_attn.v_proj")]
        self._in = Product(stacked, parts("input_layernorm")[0], room, first=shape.width**-0.5)
        self._out = Product([parts("self_attn.o_proj")], room=room, few=few)
        stacked = [parts("mlp.gate_proj"), parts("mlp.up_proj")]
        self._up = Product(stacked, parts("post_attention_layernorm")[0], room, few=few)
        self._down = Product([parts("mlp.down_proj")], room=room, few=few)

    def project(self, hidden: Any, turn: Any) -> tuple[Any, Any, Any]:
        """Rotated queries (times the scale of attention) and keys, and values: (N, heads, d) each."""
        import torch

        found: Any = self._in(_scaled(hidden, self._epsilon)).view(len(hidden), -1, self._width)
        rotated = found[:, : self._heads + self._groups]
        torch.view_as_complex(rotated.unflatten(2, (-1, 2))).mul_(turn)
        query, key, value = found.split((self._heads, self._groups, self._groups), dim=1)
        return query, key, value

    def finish(self, hidden: Any, seen: Any) -> Any:
        """What follows attention, (N, width) from what came in and what attention saw."""
        import torch

        hidden = self._out(seen.flatten(1)).add_(hidden)
        gate, up = self._up(_scaled(hidden, self._epsilon)).chunk(2, dim=1)
        return self._down(torch.nn.functional.silu(gate).mul_(up)).add_(hidden)


def _attend(query: Any, key: Any, value: Any, prefix: tuple[Any, Any], view: AttentionView) -> Any:
    """What tokens see, (N, heads, d)."""
    (count, heads, width), groups = query.shape, key.shape[1]
    lines = query.unflatten(1, (groups, -1)).permute(1, 2, 0, 3).reshape(groups, -1, width)
    key, value = (part.transpose(0, 1).contiguous() for part in (key, value))
    return merged(lines, key, value, prefix, view).view(heads, count, width).transpose(0, 1)


def _scaled(hidden: Any, epsilon: float) -> Any:
    """Rows over their root mean square, as RMSNorm without its weights."""
    import torch

    squares = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True).square_()
    return hidden * squares.div_(hidden.shape[-1]).add_(epsilon).rsqrt_()


def _of_layer(weights: Weights, index: int, module: str) -> list[Any]:
    """Weight and, where there is one, bias of a layer's module."""
    names = (f"model.layers.{index}.{module}.{part}" for part in ("weight", "bias"))
    return [part for part in map(weights, names) if part is not None]


def _paired(parts: list[Any], width: int) -> list[Any]:
    """The parts with each head's outputs in the order 0, d/2, 1, d/2+1, …: what rotates together stands together."""
    return [part.unflatten(0, (-1, 2, width // 2)).transpose(1, 2) for part in parts]
