"""Objects that are found by being there: every module of a package that holds one adds it, and nothing lists them.

A package of formats, measures, engines or flag types has a module for each; adding one is adding its file. A package's
`__path__` says where its modules lie, so a folder elsewhere can hold more of them.
"""

import importlib
import pkgutil
import sys
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Protocol, TypeVar


class Registered(Protocol):
    """What a registry holds."""

    @property
    def name(self) -> str:
        """What users call it."""
        ...

    @property
    def order(self) -> int:
        """Its place in lists: small ones first, equal ones by name."""
        ...


Item = TypeVar("Item", bound=Registered)


def registered(package: str, kind: type[Item]) -> Mapping[str, Item]:
    """All objects of a kind that the modules of a package hold at their top, by name, in their order.

    The modules are imported the first time; they must be cheap to import.

    Raises:
        ValueError: Two modules give one name.
    """
    return _found(package, kind, tuple(sys.modules[package].__path__))


@cache
def _found(package: str, kind: type[Item], path: tuple[str, ...]) -> Mapping[str, Item]:
    found: dict[str, Item] = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(path)):
        for item in vars(importlib.import_module(f"{package}.{name}")).values():
            if not isinstance(item, kind) or found.get(item.name) is item:
                continue
            if item.name in found:
                raise ValueError(f"{package}: two modules have a {kind.__name__} named {item.name!r}")
            found[item.name] = item
    return MappingProxyType(dict(sorted(found.items(), key=lambda each: (each[1].order, each[0]))))
