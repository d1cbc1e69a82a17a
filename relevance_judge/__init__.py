"""Query-candidate pairs in, labels that can be trusted out.

    import relevance_judge as rj

    j = rj.Judge("shop-135m")                              or a Hub id, a directory, an adapter, an endpoint
    j.score([("wool scarf", {"title": "Merino scarf"})])   probabilities and expected grades, in memory
    run = rj.label(pairs, catalogue=products, judge=j, out="runs/monday")
    rj.agree(run, ratings)["weighted_kappa"].interval
    rj.audit(run, events).flags
    run.export("triplets", splits={"train": 0.9, "test": 0.1}).to_dataset()

Tables go in as paths, as DataFrames (pandas, polars, Arrow) or as lists of dicts; what comes out is frozen, and shows
itself in a notebook. Errors are the command line's: every one is a `JudgeError`, with `message` and `hint`. Importing
this loads nothing heavy: a function loads what it needs when it is called.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from judge.errors import EngineError, HubError, InputError, JudgeError, ModelError, RunError
    from judge.export.hub import Published
    from judge.records import Flag
    from mine.worth import Worth
    from relevance_judge.agreement import Agreement, agree
    from relevance_judge.auditing import Audit, audit
    from relevance_judge.calibrating import Calibrated, calibrate
    from relevance_judge.evaluating import Evaluated, evaluate
    from relevance_judge.exports import Exported, SelectionOptions, export
    from relevance_judge.judges import Judge
    from relevance_judge.labelling import ensemble, import_ratings, label
    from relevance_judge.mining import Mined, mine, queries, worth
    from relevance_judge.publishing import PushOptions, push
    from relevance_judge.reading import RatingOptions, RowOptions
    from relevance_judge.refreshing import refresh
    from relevance_judge.retrieving import Retriever, train
    from relevance_judge.runs import Run
    from relevance_judge.scaling import Planned, PlannedOptions, finish, plan, status
    from relevance_judge.scores import Scores
    from relevance_judge.searching import Ranking, search
    from relevance_judge.training import FineTuned, finetune
    from relevance_judge.validating import Validated, validate

__all__ = [
    "Agreement",
    "Audit",
    "Calibrated",
    "EngineError",
    "Evaluated",
    "Exported",
    "FineTuned",
    "Flag",
    "HubError",
    "InputError",
    "Judge",
    "JudgeError",
    "Mined",
    "ModelError",
    "Planned",
    "PlannedOptions",
    "Published",
    "PushOptions",
    "Ranking",
    "RatingOptions",
    "Retriever",
    "RowOptions",
    "Run",
    "RunError",
    "Scores",
    "SelectionOptions",
    "Validated",
    "Worth",
    "agree",
    "audit",
    "calibrate",
    "ensemble",
    "evaluate",
    "export",
    "finetune",
    "finish",
    "import_ratings",
    "label",
    "mine",
    "plan",
    "push",
    "queries",
    "refresh",
    "search",
    "status",
    "train",
    "validate",
    "worth",
]

_HOMES = {
    "judge.errors": ("EngineError", "HubError", "InputError", "JudgeError", "ModelError", "RunError"),
    "judge.export.hub": ("Published",),
    "judge.records": ("Flag",),
    "mine.worth": ("Worth",),
    "relevance_judge.agreement": ("Agreement", "agree"),
    "relevance_judge.auditing": ("Audit", "audit"),
    "relevance_judge.calibrating": ("Calibrated", "calibrate"),
    "relevance_judge.evaluating": ("Evaluated", "evaluate"),
    "relevance_judge.exports": ("Exported", "SelectionOptions", "export"),
    "relevance_judge.judges": ("Judge",),
    "relevance_judge.labelling": ("ensemble", "import_ratings", "label"),
    "relevance_judge.mining": ("Mined", "mine", "queries", "worth"),
    "relevance_judge.publishing": ("PushOptions", "push"),
    "relevance_judge.reading": ("RatingOptions", "RowOptions"),
    "relevance_judge.refreshing": ("refresh",),
    "relevance_judge.retrieving": ("Retriever", "train"),
    "relevance_judge.runs": ("Run",),
    "relevance_judge.scaling": ("Planned", "PlannedOptions", "finish", "plan", "status"),
    "relevance_judge.scores": ("Scores",),
    "relevance_judge.searching": ("Ranking", "search"),
    "relevance_judge.training": ("FineTuned", "finetune"),
    "relevance_judge.validating": ("Validated", "validate"),
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for."""
    from importlib import import_module

    for home, names in _HOMES.items():
        if name in names:
            return globals().setdefault(name, getattr(import_module(home), name))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What the module offers, loaded or not."""
    return sorted({*globals(), *__all__})
