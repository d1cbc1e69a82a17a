"""A taught judge as one model: the adapter added into the base's weights, for engines that take no adapter."""

import shutil
from pathlib import Path
from typing import Any

from finetune.network import load
from judge.adapter import FILE, Tuned
from judge.errors import RunError
from judge.files import write_whole
from judge.gguf import quiet_transformers
from judge.model import find_model

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "vocab.json")


def merge(tuned: Tuned, adapter: Path, out: Path) -> None:
    """Write the merged model, its tokenizer and its `judge.json` into a new directory, in the base's number type.

    Raises:
        RunError: The directory is taken.
        ModelError: The base cannot be found or loaded.
    """
    from peft import PeftModel

    if out.exists() and any(out.iterdir()):
        raise RunError(f"{out}: is taken by something else", "choose a new directory with --merge")
    base = find_model(tuned.base.wanted)
    model: Any = PeftModel.from_pretrained(load(base.directory, "auto"), str(adapter), local_files_only=True)
    merged: Any = model.merge_and_unload()
    merged.config._name_or_path = ""
    out.mkdir(parents=True, exist_ok=True)
    with quiet_transformers():
        merged.save_pretrained(out, safe_serialization=True)
    for name in TOKENIZER:
        if (base.directory / name).is_file():
            shutil.copyfile(base.directory / name, out / name)
    write_whole(out / FILE, tuned.model_copy(update={"adapter": None}).model_dump_json(indent=1).encode())
