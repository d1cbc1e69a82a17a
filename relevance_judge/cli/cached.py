"""The cache folder, for `judge doctor`."""

from judge.errors import InputError
from relevance_judge.cli.output import show, show_json, show_table


def cache_state() -> str:
    """Where the cache is and what it takes, by kind, the largest first."""
    from judge.cache import cache_folder
    from judge.clearing import sizes

    folder, found = cache_folder(), sizes()
    if not found:
        return f"nothing yet in {folder}"
    largest = sorted(found.items(), key=lambda item: -item[1])
    told = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in largest if size >= 5e6)
    parts = f" ({told})" if told else ""
    return f"{sum(found.values()) / 1e9:.2f} GB in {folder}{parts}; `judge doctor --clear-cache` removes it"


def empty_cache(json: bool) -> None:
    """Remove what the cache keeps, and say how much it was.

    Raises:
        InputError: Some of it cannot be removed.
    """
    from judge.cache import cache_folder
    from judge.clearing import clear_cache

    try:
        removed = clear_cache()
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be removed ({error.strerror})", "see who may write there") from None
    if json:
        show_json({"folder": str(cache_folder()), "removed_bytes": removed})
        return
    show(f"{sum(removed.values()) / 1e9:.2f} GB removed from {cache_folder()}")
    show_table([(kind, f"{size / 1e9:.2f} GB") for kind, size in sorted(removed.items(), key=lambda item: -item[1])])
