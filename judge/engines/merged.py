"""A model with an adapter merged into it, kept in a folder of the cache: for engines that read a model's files."""

import shutil
from importlib.metadata import version
from pathlib import Path

from judge.cache import cache_folder, hold_cache, is_whole, known_digest, make_folder, storing
from judge.engines.applying import load_adapted
from judge.errors import ModelError
from judge.fingerprint import adapter_digest, digest

FORMAT = 1
"""Part of the folder's name: raised when merging changes."""
KEPT = ("*.json", "*.jinja", "*.model", "*.txt")
"""What is copied of the base: its tokenizer and chat template."""


def merged_folder(base: Path, adapter: Path, dtype: str) -> Path:
    """The folder of a base with an adapter merged into its weights, made on first use.

    The arithmetic is that of `--engine transformers`: loaded and merged in the number type in which it is computed.

    Args:
        base: The base's directory.
        adapter: A peft LoRA adapter's.
        dtype: As torch names it.

    Raises:
        ModelError: One of them cannot be loaded, or the cache has no room.
    """
    files = sorted(path for pattern in (*KEPT, "*.safetensors") for path in base.glob(pattern) if path.is_file())
    read = {path.name: known_digest(path) for path in files}
    versions = [version(name) for name in ("transformers", "peft")]
    key = digest([FORMAT, versions, read, adapter_digest(adapter), dtype])
    folder = cache_folder() / "merged" / f"{adapter.resolve().name[:40]}-{key[:24]}"

    def build(scratch: Path) -> None:
        from transformers import GenerationConfig

        from judge.models.gguf import quiet_transformers

        model = load_adapted(base, dtype, adapter)
        for path in files:
            if path.suffix != ".safetensors" and not path.name.endswith(".safetensors.index.json"):
                shutil.copyfile(path, scratch / path.name)
        model.generation_config = GenerationConfig()  # the base's may be one that transformers refuses to write
        with quiet_transformers(), storing():
            model.save_pretrained(scratch)

    hold_cache()
    if not is_whole(folder):
        try:
            make_folder(folder, build)
        except OSError as error:
            raise ModelError(
                f"{folder.parent}: the merged judge cannot be written there ({error})",
                "set RELEVANCE_JUDGE_CACHE to a folder with room for the model, or set vllm.adapter to apply",
            ) from None
    return folder
