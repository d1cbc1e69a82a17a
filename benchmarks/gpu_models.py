"""Models and adapters with random weights, in the shapes of known ones: speed does not depend on the weights."""

import json
import shutil
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, Any]] = {
    "135m": {"model_type": "llama", "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9}
    | {"num_key_value_heads": 3, "intermediate_size": 1536},
    "0.5b": {"model_type": "qwen2", "hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14}
    | {"num_key_value_heads": 2, "intermediate_size": 4864},
    "1.5b": {"model_type": "qwen2", "hidden_size": 1536, "num_hidden_layers": 28, "num_attention_heads": 12}
    | {"num_key_value_heads": 2, "intermediate_size": 8960},
}


def make_model(shape: str, folder: Path, tokenizer: Path) -> Path:
    """A model of a shape with random weights in bf16, and another model's tokenizer; made once."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    out = folder / shape
    if out.is_dir():
        return out
    partial = folder / f".{shape}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    torch.manual_seed(0)
    keys = {key: value for key, value in SHAPES[shape].items() if key != "model_type"}
    vocabulary = json.loads((tokenizer / "config.json").read_text())["vocab_size"]
    config = AutoConfig.for_model(
        SHAPES[shape]["model_type"],
        vocab_size=vocabulary,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        **keys,
    )
    made: Any = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    made.save_pretrained(partial)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(tokenizer / name, partial / name)
    partial.rename(out)
    return out


def make_adapter(model: Path) -> Path:
    """A LoRA adapter of rank 16 with random weights on a model; made once."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    out = model.with_name(f"{model.name}-adapter")
    if not (out / "adapter_config.json").is_file():
        torch.manual_seed(0)
        base: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        targets = [f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")]
        adapted = get_peft_model(base, LoraConfig(r=16, lora_alpha=32, target_modules=targets))
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.02)
        adapted.save_pretrained(str(out))
    return out
