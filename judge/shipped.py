"""The taught judge that comes with the package: an adapter's directory inside it, found by name."""

from importlib.resources import files
from pathlib import Path

SHIPPED = "shop-135m"
"""The embedded base, taught product search by three levels; its README.md is its card."""


def shipped_directory(name: str) -> Path | None:
    """The directory of a shipped judge, or null where the name is none of them."""
    directory = Path(str(files("judge"))) / "shipped" / SHIPPED
    return directory if name == SHIPPED and directory.is_dir() else None
