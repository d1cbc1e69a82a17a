"""A verb and its function of the Python API have the same options: what one can be told, the other can."""

import inspect
from typing import get_args, get_type_hints

import click
import pytest

import relevance_judge as rj
from relevance_judge.cli.main import app
from retriever.config import RetrieverConfig

FUNCTIONS = {
    "validate": (rj.validate,),
    "label": (rj.label, rj.Judge, rj.ensemble),
    "import": (rj.import_ratings,),
    "calibrate": (rj.calibrate, rj.Run.recalibrated),
    "finetune": (rj.finetune,),
    "agree": (rj.agree, rj.Agreement.write_report),
    "audit": (rj.audit, rj.Audit.write),
    "mine": (rj.mine, rj.worth),
    "queries": (rj.queries,),
    "export": (rj.export,),
    "push": (rj.push,),
    "train": (rj.train,),
    "search": (rj.search,),
    "evaluate": (rj.evaluate, rj.Evaluated.write_report),
    "plan": (rj.plan, rj.Judge),
    "refresh": (rj.refresh, rj.Judge),
    "status": (rj.status,),
    "finish": (rj.finish,),
}
"""A verb's options are parameters of these together."""
CONFIGURED = {"train": RetrieverConfig}
"""Options that are keys of the function's `config`."""
TERMINAL = {"json"}
"""What only a terminal needs: tables or JSON."""
BY_OTHER_NAMES = {
    "label --ensemble": "rj.ensemble",
    **{f"{verb} --judge": "rj.Judge(model)" for verb in ("label", "plan", "refresh")},
    "calibrate --apply": "Run.recalibrated(calibration)",
    "finetune --from": "start",
    "train --batch": "config['queries']",
    "train --rate": "config['learning_rate']",
    "agree RATINGS, --run": "rj.agree(runs)",
    "agree --report": "Agreement.write_report(out)",
    "evaluate --report": "Evaluated.write_report(out)",
    "evaluate --text": "text",
    "mine --worth": "rj.worth(run, ratings)",
    "export --to": "format",
    "export --with": "others",
    "export --mix": "negatives['mix']",
    "export --negative-confidence": "negatives['min_confidence']",
    "export --positives": "negatives['positives']",
    "push --mix": "negatives['mix']",
    "push --negative-confidence": "negatives['min_confidence']",
    "push --positives": "negatives['positives']",
}
"""Options whose name says something else in Python."""
VERB_ALONE = {"label --dry-run"}
"""An estimate for people: it writes nothing, and nothing of it can be worked with."""
NO_FUNCTION = {
    *("doctor", "guideline", "aggregate", "probe", "diff", "trace"),
    *("queue", "review", "decide", "adjudicate"),
}
"""Verbs without a function: what they show people, `Run` holds, or people decide."""


def verb(name):
    return app.get_command(click.Context(app), name)


def parameters(function):
    """A function's parameters with their defaults; those that it takes as `**options` have none."""
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            (options,) = get_args(parameter.annotation)
            for key, hint in get_type_hints(options).items():
                found |= dict.fromkeys(get_type_hints(hint) if key == "reading" else [key])
        else:
            found[name] = None if parameter.default is parameter.empty else parameter.default
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_option_of_a_verb_is_one_of_its_function(name):
    known = dict.fromkeys(CONFIGURED[name].model_fields) if name in CONFIGURED else {}
    for function in FUNCTIONS[name]:
        known |= parameters(function)
    for option in verb(name).params:
        if not isinstance(option, click.Option) or option.name in TERMINAL:
            continue
        place = f"{name} {option.opts[0]}"
        if place in BY_OTHER_NAMES or place in VERB_ALONE:
            continue
        assert option.name in known, f"{place}: no parameter of {FUNCTIONS[name]}"
        mine, theirs = option.default, known[option.name]
        if isinstance(mine, int | float | str) and isinstance(theirs, int | float | str):
            assert mine == theirs, f"{place}: another default in Python"


def test_every_verb_is_listed_and_what_is_listed_exists():
    assert {*FUNCTIONS, *NO_FUNCTION} == set(app.list_commands(click.Context(app)))
    for place in {*BY_OTHER_NAMES, *VERB_ALONE}:
        name, option = place.split()[0], place.split()[-1]
        assert option in {param.opts[0] for param in verb(name).params}, place
