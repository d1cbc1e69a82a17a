"""Write the tables of formats, measures, engines and flag types into docs/*.md: `python docs/write_tables.py`.

A table stands between `<!-- NAME: made by docs/write_tables.py -->` and `<!-- end of NAME -->`; people write the rest.
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = {"formats": "export.md", "measures": "agree.md", "engines": "serving.md", "flag types": "audit.md"}


def tables() -> dict[str, str]:
    """Each table as Markdown, by name."""
    from judge.engines.kinds import engine_kinds
    from judge.export.formats import formats
    from judge.run.flag_types import flag_types
    from judge.statistics.agreement import agreement_measures

    return {
        "formats": _table(
            ("`--to`", "what it holds", "read it with", "comes back"),
            (
                (f"`{form.name}`", form.help, form.opened_by, "yes" if form.read else f"no: {form.unread}")
                for form in formats().values()
            ),
        ),
        "measures": _table(
            ("in JSON", "measure", "values", "source"),
            (
                (f"`{m.name}{'_G' if m.by_grade else ''}`", m.label, m.range, m.source)
                for m in agreement_measures().values()
            ),
        ),
        "engines": _table(
            ("engine", "install", "what it is", "asked by", "applies `--adapter`", "gives probabilities"),
            (
                (
                    f"`{kind.name}`",
                    f"`{kind.install.rpartition(': ')[2]}`" if kind.install else "nothing",
                    kind.help,
                    "messages" if kind.in_words else "token ids",
                    "yes" if kind.adapter else "no",
                    kind.probabilities,
                )
                for kind in engine_kinds().values()
            ),
        ),
        "flag types": _table(
            ("flag", "says of a label", "when"),
            ((f"`{kind.name}`", kind.meaning, kind.needs) for kind in flag_types().values()),
        ),
    }


def pages() -> dict[Path, str]:
    """The pages with their tables as they should be."""
    found: dict[Path, str] = {}
    for name, table in tables().items():
        path = ROOT / "docs" / PAGES[name]
        begin, end = f"<!-- {name}: made by docs/write_tables.py -->", f"<!-- end of {name} -->"
        before, *after = path.read_text(encoding="utf-8").split(begin)
        if len(after) != 1 or end not in after[0]:
            raise ValueError(f"{path}: has no place, or two, for the table of {name}")
        found[path] = f"{before}{begin}\n{table}\n{end}{after[0].partition(end)[2]}"
    return found


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
