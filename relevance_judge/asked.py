"""Who judges, in words that find the judge again: in another process, from another folder."""

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.errors import RunError
from judge.run import store
from relevance_judge.judges import Judge

if TYPE_CHECKING:
    from judge.labelling.job import Labelling

PATHS = ("model", "guideline", "adapter", "engine_config", "calibration")
"""What of a judge may be a path."""


def asked_of(judge: Judge) -> dict[str, str | int | float | bool | None]:
    """What a judge was made of."""
    return findable({field.name: getattr(judge, field.name) for field in fields(judge)})


def findable(said: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a judge, without what is not; a path as an absolute one, and a name as it is."""
    return {
        name: _findable(name, value) if name in PATHS else value for name, value in said.items() if value is not None
    }


def job_of(asked: Mapping[str, Any], run: store.Run) -> "Labelling":
    """The work of a planned run, by the judge that was asked for.

    Raises:
        RunError: The plan asks in a way that this version does not know.
    """
    from judge.pairs.stage import Source

    if strange := sorted(asked.keys() - {field.name for field in fields(Judge)}):
        raise RunError(f"{run.plan_path}: asks for {strange[0]!r}, which is unknown", "plan with this version")
    return Judge(**asked).job(Source(run.pairs_path))


def _findable(what: str, value: str | os.PathLike[str]) -> str:
    path = Path(value).expanduser()
    return str(path.resolve()) if path.exists() and str(value) not in _names(what) else str(value)


def _names(what: str) -> set[str]:
    """What is a name whatever lies in the folder."""
    from judge.labelling.blending import NONE, PLAIN
    from judge.models.embedded import EMBEDDED
    from judge.models.known import KNOWN
    from judge.models.shipped import shipped_judges
    from judge.words.guideline import names

    known = {"model": {EMBEDDED, *KNOWN, *shipped_judges()}, "guideline": {*names()}, "calibration": {NONE, PLAIN}}
    return known.get(what, set())
