"""What scripts rely on: verbs, options and the shapes of `--json`, as captured in `tests/data/surface.json`.

Nothing that stands there goes or changes unless it is listed below, with a line of the changelog. What is new needs no
entry: it breaks nobody.
"""

import csv
import json
import re

import click
import pytest
from conftest import DOZEN, ROOT, in_process

from relevance_judge.cli.main import app

SHOP = ROOT / "examples" / "shop"
KNOWN = json.loads((ROOT / "tests" / "data" / "surface.json").read_text(encoding="utf-8"))
PUSHING = ("push", "revision", "private", "tag", "license", "ratings", "rating", "raters", "gold", "grades", "map")
CHANGED = {f"options.export --{name}": "`judge push RUN OWNER/NAME`" for name in PUSHING}
RENAMED = ("training.warm_pairs", *(f"training.config.{name}" for name in ("warm_pairs", "hostile", "respelt")))
CHANGED |= {f"finetune.{name}": "`synthetic_pairs`, `adversarial` and `query_noise`" for name in RENAMED}
CHANGED |= {"options.calibrate RATINGS.required": "`judge calibrate RUN --apply FILE --out NEW`"}
CHANGED |= {"options.label PAIRS.required": "`judge label --plan RUN --shard i/N`"}
"""What differs on purpose, as the path of an option or of a key of `--json`, and words of the changelog's line."""


def verbs():
    context = click.Context(app)
    return {verb: app.get_command(context, verb) for verb in app.list_commands(context)}


def kind_of(param):
    """A parameter's type, in words that no library of command lines chose."""
    if getattr(param, "is_flag", False):
        return "flag"
    if isinstance(param.type, click.Choice):
        return sorted(param.type.choices)
    name = param.type.name
    return {"float range": "float", "integer range": "integer", "file": "path", "directory": "path"}.get(name, name)


def described(param):
    default = param.default if isinstance(param.default, str | int | float) else None
    return {
        "type": kind_of(param),
        "required": param.required,
        "repeatable": param.multiple,
        "default": default or None,
    }


def options():
    """`verb --option` or `verb ARGUMENT` to what it takes."""
    found = {}
    for verb, command in verbs().items():
        for param in command.params:
            name = param.opts[0] if isinstance(param, click.Option) else param.human_readable_name.strip("[]")
            found[f"{verb} {name}"] = described(param)
    return found


def shape(value):
    """Key names and JSON types of a document; of a list, those of its items together."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [merged([shape(item) for item in value])]
    return {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}[type(value)]


def merged(shapes):
    dicts = [each for each in shapes if isinstance(each, dict)]
    keys = dict.fromkeys(key for each in dicts for key in each)
    lists = [each[0] for each in shapes if isinstance(each, list)]
    found = [{key: merged([each[key] for each in dicts if key in each]) for key in keys}] if dicts else []
    found += [[merged(lists)]] if lists else []
    # An empty list says nothing of what may stand in it.
    found += sorted({name for each in shapes if isinstance(each, str) for name in each.split("|") if name})
    texts = [each for each in found if isinstance(each, str)]
    rest = [each for each in found if not isinstance(each, str)]
    if not rest:
        return "|".join(texts)
    return rest[0] if len(rest) == 1 and not texts else [*rest, *texts]


def lost(before, after, path):
    """Paths of what is no longer there, or is of another type."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from lost(value, after[key], f"{path}.{key}") if key in after else (f"{path}.{key}",)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after) == 1:
        yield from lost(before[0], after[0], f"{path}[]")
    elif before != after and after is not None and after != "null":
        yield path


def unlisted(paths):
    return [path for path in paths if path not in CHANGED]


def test_every_option_is_as_it_was():
    assert unlisted(lost(KNOWN["options"], options(), "options")) == []


def test_what_differs_is_in_the_changelog():
    text = " ".join((ROOT / "CHANGELOG.md").read_text(encoding="utf-8").split())
    for what, line in CHANGED.items():
        assert line in text, what


CASES = {
    "doctor": ("doctor", "--json"),
    "guideline": ("guideline", "--json"),
    "guideline --html": ("guideline", "--html", "book.html", "--json"),
    "validate": ("validate", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--json"),
    "validate, problems": ("validate", "bad.csv", "--json"),
    "validate, ratings": ("validate", SHOP / "grades.csv", "--rating", "grade", "--json"),
    "label --dry-run": ("label", DOZEN, "--engine", "fake", "--dry-run", "--json"),
    "label": ("label", SHOP / "pairs.csv", "--catalogue", SHOP / "catalogue.csv", "--engine", "fake", "--out", "run"),
    "status": ("status", "run"),
    "import": ("import", SHOP / "grades_with_errors.csv", "--catalogue", SHOP / "catalogue.csv", "--out", "people"),
    "agree": ("agree", SHOP / "ratings.csv", "--run", "run"),
    "agree, people": ("agree", SHOP / "ratings.csv"),
    "aggregate": ("aggregate", SHOP / "ratings.csv", "--out", "gold.jsonl"),
    "calibrate": ("calibrate", "run", SHOP / "grades.csv"),
    "probe": ("probe", SHOP / "grades.csv", "--catalogue", SHOP / "catalogue.csv", "--engine", "fake", "--limit", "4"),
    "audit": ("audit", "people", SHOP / "engagement.csv", "--out", "audited"),
    "adjudicate": ("adjudicate", "people", "--with", "fake", "--engine", "fake"),
    "queue": ("queue", "people", "--to", "csv", "--out", "queue.csv"),
    "decide": ("decide", "people", "decisions.csv", "--author", "ann"),
    "export": ("export", "people", "--to", "pairs", "--splits", "train=0.8,test=0.2", "--out", "pairs"),
    "trace": ("trace", "people", "gluten free pasta", "P089", "--ratings", SHOP / "ratings.csv"),
    "diff": ("diff", "run", "people", "--out", "moved.csv"),
}
"""In an order in which each finds what those before it wrote."""


def decided(folder):
    """The queue with one decision of each kind."""
    lines = (folder / "queue.csv").read_text(encoding="utf-8").splitlines()
    names = lines[0].split(",")
    rows = list(csv.DictReader(lines))
    other = "0" if rows[2]["grade"] == "2" else "2"
    for row, said in zip(rows, ("keep", "unsure", other), strict=False):
        row["decision"] = said
    with (folder / "decisions.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("surface")
    (folder / "bad.csv").write_text("query,candidate_id,title\nlamp,1,x\nlamp,1,y\n,2,z\n")
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, arguments in CASES.items():
            if name == "decide":
                decided(folder)
            done = in_process(*arguments, *([] if "--json" in arguments else ["--json"]))
            assert done.code == (2 if "bad.csv" in arguments else 0), f"{name}: {done.err}"
            found[name] = shape(done.json)
    return found


@pytest.mark.parametrize("name", CASES)
def test_json_has_every_key_it_had(shapes, name):
    assert unlisted(lost(KNOWN["json"][name], shapes[name], name)) == []


def test_what_push_prints_has_every_key_it_had(push):
    assert unlisted(lost(KNOWN["json"]["push"], shape(push("--json").json), "push")) == []


@pytest.mark.slow
def test_what_finetune_prints_has_every_key_it_had(main, tiny_base, rated_file, quick):
    given = ("finetune", rated_file, "--base", tiny_base, "--config", quick(), "--out", "ours", "--json")
    assert unlisted(lost(KNOWN["json"]["finetune"], shape(main(*given).json), "finetune")) == []


def test_a_lost_key_or_another_type_is_found():
    before = {"a": 1, "b": [{"c": None}, {"c": 2}], "d": {"e": "x"}}
    after = {"a": "1", "b": [{"f": 2}], "d": {"e": "y", "new": 1}}
    assert list(lost(shape(before), shape(after), "x")) == ["x.a", "x.b[].c"]
    assert re.fullmatch(r"null\|number", shape(before)["b"][0]["c"])
