"""Our part of a dataset card, and everybody else's: ours is between two marks, and theirs is left as it is.

Of the metadata, the entries of our views under `configs` and `dataset_info` are written anew, so that no feature of an
older push stays behind; lists are joined; what people set themselves, such as the licence, stays.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from judge.errors import InputError
from judge.settings import read_yaml

BEGIN = "<!-- relevance-judge begin: {views} (written anew by every push; write above or below) -->"
END = "<!-- relevance-judge end -->"
_BEGIN = re.compile(r"^<!-- relevance-judge begin: ([\w, -]*) \(.*\) -->[ \t]*\r?$", re.M)
_END = re.compile(r"^<!-- relevance-judge end -->[ \t]*\r?$", re.M)
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)(?:^)---[ \t]*(?:\r?\n|\Z)", re.S | re.M)

JOINED = ("language", "task_categories", "tags", "annotations_creators")
"""Lists to which we add what is missing."""
OURS = ("size_categories",)
"""What a push knows better."""


@dataclass(frozen=True)
class Card:
    """A card as it stands on the Hub; empty where there is none."""

    data: Mapping[str, Any] = field(default_factory=dict)
    body: str = ""

    @property
    def views(self) -> tuple[str, ...]:
        """The views that the last push wrote."""
        found = _BEGIN.search(self.body)
        return tuple(name.strip() for name in found[1].split(",") if name.strip()) if found else ()


def read_card(text: str, where: str) -> Card:
    """Take a card apart.

    Raises:
        InputError: Its metadata are no YAML, or our marks in it are damaged: what is between them is not known then.
    """
    front = _FRONT.match(text)
    body = text[front.end() :] if front else text
    try:
        data = read_yaml(front[1]) if front else {}
    except yaml.YAMLError as error:
        raise InputError(
            f"the card of {where}: its metadata are not valid YAML: {error}", "fix them on the Hub"
        ) from None
    if not isinstance(data or {}, dict):
        raise InputError(f"the card of {where}: its metadata are not a mapping", "fix them on the Hub")
    begins, ends = list(_BEGIN.finditer(body)), list(_END.finditer(body))
    if len(begins) != len(ends) or len(begins) > 1 or (begins and begins[0].end() > ends[0].start()):
        raise InputError(
            f"the card of {where}: the marks around our part are damaged",
            f"on the Hub, remove our part, its marks included ('<!-- relevance-judge begin: …' to '{END}')",
        )
    return Card(data or {}, body)


def merged(card: Card, ours: Card, title: str, views: Sequence[str], license_given: bool = False) -> str:
    """The text of the card with our part put in its place, or at the end where there was none.

    Args:
        card: What stands there.
        ours: Our metadata and our part.
        title: The first heading of a card that has no words yet.
        views: What this push writes.
        license_given: Whether our licence was asked for, and so goes before theirs.
    """
    part = f"{BEGIN.format(views=', '.join(views))}\n{ours.body.strip()}\n{END}"
    begin, end = _BEGIN.search(card.body), _END.search(card.body)
    if begin and end:
        body = card.body[: begin.start()] + part + card.body[end.end() :]
    elif card.body.strip():
        body = f"{card.body.rstrip()}\n\n{part}\n"
    else:
        body = f"\n# {title}\n\n{part}\n"
    data = merged_data(card.data, ours.data, {*card.views, *views})
    if license_given:
        data["license"] = ours.data["license"]
    front = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1_000_000)
    return f"---\n{front}---\n{body}"


def merged_data(theirs: Mapping[str, Any], ours: Mapping[str, Any], views: Iterable[str]) -> dict[str, Any]:
    """Both metadata: see the module's words. Entries of `views` that ours lack are gone."""
    data, mine = dict(theirs), set(views)
    for key, value in ours.items():
        if key in ("configs", "dataset_info"):
            rest = [entry for entry in _entries(theirs.get(key)) if _name(entry) not in mine]
            taken = key == "configs" and any(e.get("default") or e.get("config_name") == "default" for e in rest)
            # One config opens where none is asked for: what people chose, or our first.
            data[key] = rest + [{k: v for k, v in entry.items() if not (taken and k == "default")} for entry in value]
        elif key in JOINED:
            there = _list(theirs.get(key))  # people's own entries may be lists
            data[key] = there + [entry for entry in value if entry not in there]
        elif key in OURS or not theirs.get(key):
            data[key] = value
    return data


def _name(entry: Mapping[str, Any]) -> str | None:
    """The config that an entry is about; null where people wrote no name there."""
    found = entry.get("config_name")
    return found if isinstance(found, str) else None


def _entries(value: Any) -> list[dict[str, Any]]:
    """A list of configs' entries; a single one may stand alone and be called `default` by having no name."""
    found = value if isinstance(value, list) else [value] if isinstance(value, dict) else []
    return [{"config_name": "default", **entry} for entry in found if isinstance(entry, dict)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
