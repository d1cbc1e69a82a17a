"""An encoder's tokenizer and transformer, as the library transformers reads them; or a BERT's out of their files,
because importing that library takes longer than encoding the texts of a small run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from judge.documents import reading
from judge.errors import ModelError
from judge.models.gguf import quiet_transformers
from judge.models.pooling import DAMAGED, read_json


def read_transformer(name: str, folder: Path, *, bert: bool) -> tuple[Any, Any]:
    """Tokenizer and model, in float32 and on the processor.

    Args:
        name: The encoder, for errors.
        folder: Where they lie.
        bert: Whether they are known to be a BERT's, which needs no transformers.

    Raises:
        ModelError: They cannot be loaded.
    """
    if bert:
        with reading(folder, DAMAGED):
            return BertTokenizer(folder), Bert(folder)
    import torch
    from transformers import AutoModel, AutoTokenizer

    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            model = AutoModel.from_pretrained(
                folder, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
            )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise ModelError(f"{name}: cannot be loaded ({said})", "save the encoder again") from None
    return tokenizer, model


class BertTokenizer:
    """What an encoder uses of a tokenizer of transformers."""

    model_max_length = 512

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer

        self._backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._backend.no_padding()

    def __call__(self, texts: Sequence[str], *, truncation: bool, max_length: int) -> dict[str, list[list[int]]]:
        """Ids of texts and what of them is attended to: all."""
        assert truncation
        self._backend.enable_truncation(max_length)
        ids = [found.ids for found in self._backend.encode_batch(list(texts))]
        return {"input_ids": ids, "attention_mask": [[1] * len(each) for each in ids]}

    def pad(self, rows: Mapping[str, list[list[int]]], return_tensors: str) -> dict[str, Any]:
        """Tensors of shape (texts, longest)."""
        import torch

        assert return_tensors == "pt"
        longest = max(map(len, rows["input_ids"]))
        return {name: torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows[name]]) for name in rows}


class Bert:
    """What an encoder uses of a model of transformers: one of `model_type` bert, its positions absolute, with gelu.
    Devlin et al. 2019, "BERT"."""

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file

        config = read_json(folder / "config.json")
        self._layers, self._heads = config["num_hidden_layers"], config["num_attention_heads"]
        self._eps = config["layer_norm_eps"]
        self._weights = {name: weight.float() for name, weight in load_file(folder / "model.safetensors").items()}

    def eval(self) -> "Bert":
        """As it is: it has no dropout."""
        return self

    def to(self, device: str) -> "Bert":
        """Itself, moved."""
        self._weights = {name: weight.to(device) for name, weight in self._weights.items()}
        return self

    def __call__(self, input_ids: Any, attention_mask: Any) -> SimpleNamespace:
        """Hidden states of the last layer, shape (texts, tokens, width), as `last_hidden_state`."""
        from torch.nn.functional import gelu, scaled_dot_product_attention

        words, places, kinds = (
            self._weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
        )
        hidden = self._norm("embeddings", words[input_ids] + places[: input_ids.shape[1]] + kinds[0])
        mask = attention_mask.bool()[:, None, None, :]
        for layer in range(self._layers):
            at = f"encoder.layer.{layer}"
            query, key, value = (
                self._linear(f"{at}.attention.self.{name}", hidden).unflatten(-1, (self._heads, -1)).transpose(1, 2)
                for name in ("query", "key", "value")
            )
            seen = scaled_dot_product_attention(query, key, value, mask).transpose(1, 2).flatten(2)
            seen = self._linear(f"{at}.attention.output.dense", seen)
            hidden = self._norm(f"{at}.attention.output", seen + hidden)
            inner = gelu(self._linear(f"{at}.intermediate.dense", hidden))
            hidden = self._norm(f"{at}.output", self._linear(f"{at}.output.dense", inner) + hidden)
        return SimpleNamespace(last_hidden_state=hidden)

    def _linear(self, name: str, values: Any) -> Any:
        from torch.nn.functional import linear

        return linear(values, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, name: str, values: Any) -> Any:
        from torch.nn.functional import layer_norm

        weight, bias = (self._weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return layer_norm(values, weight.shape, weight, bias, self._eps)
