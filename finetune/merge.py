"""A fine-tuned judge as one model: the adapter added into the base's weights, for engines that take no adapter."""

import shutil
from pathlib import Path
from typing import Any

from finetune.network import BASE
from finetune.outcome import belonging
from judge.engines.applying import apply_lora, check_lora
from judge.engines.loading import load_model
from judge.errors import RunError
from judge.files import new_folder
from judge.labelling import blending
from judge.labelling.config import FILE, AdapterManifest
from judge.models.gguf import quiet_transformers
from judge.models.model import find_model
from judge.places import check_writable
from judge.run.seen import keep_seen

TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "vocab.json")


def check_free(out: Path, adapter: Path) -> None:
    """Refuse a place where no merged model can be written, before anything long begins.

    Raises:
        RunError: The directory is taken, or is to be the adapter's.
        InputError: It cannot be written.
    """
    check_writable(out.parent)
    if out.resolve() == adapter.resolve() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise RunError(f"{out}: already holds something else", "choose a new directory with --merge")


def merge(tuned: AdapterManifest, adapter: Path, out: Path) -> None:
    """Write the merged model, its tokenizer and its `judge.json` into a new directory, in the base's number type.

    The directory is whole or absent, so that the same command merges again where it was killed.

    Raises:
        RunError: The directory is taken.
        InputError: It cannot be written.
        ModelError: The base cannot be found or loaded, or not all of the adapter applies to it.
    """
    check_free(out, adapter)
    base = find_model(tuned.base.wanted)
    check_lora(adapter, base.directory)
    plain = load_model(base.directory, "auto", BASE)
    merged: Any = apply_lora(plain, adapter, base.directory)
    merged.config._name_or_path = ""
    with new_folder(out) as folder:
        with quiet_transformers():
            merged.save_pretrained(folder, safe_serialization=True)
        for name in TOKENIZER:
            if (base.directory / name).is_file():
                shutil.copyfile(base.directory / name, folder / name)
        own = tuned.model_copy(update={"adapter": None, "merged": tuned.adapter})
        (folder / FILE).write_text(own.as_text(), encoding="utf-8")
        keep_seen(folder, [adapter])
        if blend := blending.own_blend(adapter, tuned.adapters):
            told = belonging(blend, own, find_model(str(folder)).weights)
            (folder / blending.FILE).write_text(told.as_text(), encoding="utf-8")
