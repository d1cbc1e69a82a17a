"""Does search get better? Systems against people's grades and against baselines, query by query.

Every figure stands three times: over the full catalogue with what nobody judged as irrelevant, over judged products
alone, and next to the share of results that were judged at all. Where the first two differ in who is better, it is the
judging that decides and not the systems.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from judge import __version__
from judge.errors import InputError
from judge.files import now
from judge.fingerprint import file_digest
from judge.notes import note
from judge.places import check_writable
from judge.ratings.layout import RatingsLayout
from judge.ratings.panel import Panel, read_panel
from judge.run.store import Run
from judge.search.catalogue import Catalogue
from judge.search.locales import LOCALE, QueryLocales, from_file
from judge.search.nearest import Progress, quiet
from judge.search.reading import read_catalogue
from judge.words.guideline import Guideline
from retriever.evaluation import Comparison, Evaluation, compared, report
from retriever.figures import PRIMARY, Figures, Measured, misspelt_figures, values_of
from retriever.gold import Gold, gold_of
from retriever.holes import Judge, read_judge, read_sample, write_holes
from retriever.measures import Cut, Gain
from retriever.ranked import Ranked
from retriever.slices import slices, unlearned
from retriever.systems import DEPTH, TEXTS, Searcher, is_run

WHAT = {"all": "all fields", "title": "titles alone"}
"""What encoders read of a product."""


@dataclass(frozen=True)
class EvaluationConfig:
    """How systems are evaluated."""

    k: int = 10
    recall_k: int = 50
    relevant: int | None = None
    """The lowest grade of a relevant product; the highest grade unless given."""
    gain: Gain = "exponential"
    text: str = "auto"
    """Of `retriever.systems.TEXTS`."""
    misspell: bool = True
    """Whether models are asked the queries with a typing error, too."""
    seed: int = 0
    """Of typing errors and of the order of the file of holes."""
    encoding: str | None = None
    cache: Path | None = None

    def cut(self, values: Sequence[int]) -> Cut:
        """How results are measured, on a guideline's scale.

        Raises:
            InputError: An option cannot be.
        """
        for name, number in (("--at", self.k), ("--recall-at", self.recall_k)):
            if not 1 <= number <= DEPTH:
                raise InputError(f"{name} {number}: is not a number of results", f"give 1 to {DEPTH}")
        relevant = max(values) if self.relevant is None else self.relevant
        if relevant not in values[1:]:
            some = ", ".join(map(str, values[1:]))
            raise InputError(f"--relevant {relevant}: no grade above the lowest is this", f"give one of {some}")
        if self.text not in TEXTS:
            raise InputError(f"--text {self.text}: is not known", f"name one of {', '.join(TEXTS)}")
        return Cut(self.k, self.recall_k, relevant, self.gain, min(values))


@dataclass(frozen=True)
class EvaluationJob:
    """What to evaluate.

    Attributes:
        systems: Each as `Searcher.rank` takes it.
        against: Baselines, likewise.
        gold: A file of people's grades.
        catalogue: The products.
    """

    systems: Sequence[str]
    against: Sequence[str]
    gold: Path
    catalogue: Path
    guideline: Guideline
    layout: RatingsLayout
    """As the user said it: what grades mean is the guideline's, where it is silent."""
    config: EvaluationConfig = EvaluationConfig()
    fill: Run | None = None
    fill_sample: Path | None = None
    holes: Path | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    """What messages call `gold` and `catalogue`."""
    progress: Progress = quiet

    def run(self) -> Evaluation:
        """Evaluate.

        Raises:
            InputError: A file or an option cannot be used.
            ModelError: An encoder cannot be found or loaded.
            RunError: The run that fills holes is damaged.
        """
        layout = self.layout.settled(self.guideline)
        cut = self.config.cut(self.guideline.values)
        self._check()
        panel: list[Panel] = []

        def locales() -> QueryLocales:
            panel.append(self._panel(self.gold, "gold", layout))
            of = {unit.query_id: unit.facets.get(LOCALE) for unit in panel[0].units}
            return from_file(self.gold, self.names.get("gold"), layout.mapping, [*of.values()])

        catalogue = self._catalogue(locales)
        gold = gold_of(panel[0] if panel else self._panel(self.gold, "gold", layout), catalogue)
        figures = Figures(gold, catalogue, cut, self._judge(gold, catalogue, layout))
        systems = self._systems(figures)
        parts = [*slices(gold), *unlearned([each.learned for each in systems if each.learned is not None])]
        reports = [report(each, figures, parts) for each in systems]
        comparisons = [
            compared(one, other, figures, parts)
            for one in systems
            for other in systems
            if one.asked in self.systems and other.asked in self.against and one is not other
        ]
        _note_texts({each.name: each.parts["text"] for each in reports if "text" in each.parts}, comparisons)
        rankings = [each.ranked for each in systems]
        holes = write_holes(self.holes, rankings, gold, catalogue, cut, self.config.seed) if self.holes else None
        return Evaluation(
            toolkit=__version__,
            created=now(),
            catalogue={
                "name": catalogue.name,
                "rows": catalogue.rows,
                "products": len(catalogue.products),
                "set_aside": catalogue.set_aside,
                "without_category": sum(not product.leaf for product in catalogue.products),
                "digest": catalogue.digest[:16],
            },
            gold={**gold.counts(cut.relevant), "digest": file_digest(self.gold)[:16]},
            cut=cut,
            depth=common_depth([each.asked for each in systems], rankings),
            primary=PRIMARY.called(cut),
            measures=figures.labels,
            systems=reports,
            comparisons=comparisons,
            slices={each.name: {"n": int(each.queries.sum()), "because": each.because} for each in parts},
            fill=self._filled(figures.judge),
            holes=holes,
        )

    def _systems(self, figures: Figures) -> list[Measured]:
        """Every system once, ranked and measured, in the order in which they are named."""
        gold, config = figures.gold, self.config
        asked = [*dict.fromkeys([*self.systems, *self.against])]
        if any(not is_run(name) for name in asked) and (silent := [q.id for q in gold.queries if not q.words]):
            what = f"does not say the words of query {silent[0]!r}, which a model needs"
            raise InputError(f"{gold.name}: {what}", "give the words with --queries FILE")
        searcher = Searcher(figures.catalogue, config.text, cache=config.cache, progress=self.progress)
        names = searcher.names(asked)
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise InputError(f"two systems are called {twice!r}", "give their files or folders different names")
        rankings = (searcher.rank(system, gold.queries, DEPTH, gold.places) for system in asked)
        ranked = [replace(one, name=name) for one, name in zip(rankings, names, strict=True)]
        figures = replace(figures, depth=common_depth(asked, ranked))
        values = [values_of(one, figures) for one in ranked]
        words = [query.words or "" for query in gold.queries]
        found = []
        for name, one, its in zip(asked, ranked, values, strict=True):
            misspell = config.misspell and not is_run(name)
            misspelt = misspelt_figures(name, searcher, figures, its, config.seed) if misspell else None
            seen = searcher.seen(name)
            learned = np.array(seen.learned_from(words)) if seen and not seen.unknown else None
            found.append(Measured(name, one, its, misspelt, learned))
        return found

    def _panel(self, path: Path, what: str, layout: RatingsLayout) -> Panel:
        return read_panel(path, layout, self.guideline.values, self.names.get(what))

    def _judge(self, gold: Gold, catalogue: Catalogue, layout: RatingsLayout) -> Judge | None:
        if self.fill is None:
            return None
        judge = read_judge(self.fill, gold, catalogue)
        if self.fill_sample is None:
            return judge
        sample = self._panel(self.fill_sample, "sample", layout)
        return replace(judge, sample=read_sample(sample, gold, catalogue))

    def _filled(self, judge: Judge | None) -> dict[str, Any] | None:
        if self.fill is None or judge is None:
            return None
        name = self.names.get("sample") or str(self.fill_sample or "") or None
        return {
            "run": str(self.fill.path),
            "graded": judge.grades.used,
            "sample": name,
            "rated": judge.sample.used if judge.sample else None,
        }

    def _check(self) -> None:
        if not self.systems:
            raise InputError("nothing says what to evaluate", "name a model, `bm25` or a TREC run")
        if self.fill_sample and not self.fill:
            raise InputError("--fill-sample tells how far a judge is off that fills holes", "give --fill RUN too")
        if self.holes and self.holes.exists():
            raise InputError(f"{self.holes}: is already there", "choose another file for --holes")
        if self.holes:
            check_writable(self.holes.parent)

    def _catalogue(self, locales: Callable[[], QueryLocales]) -> Catalogue:
        fields = {f.name for f in self.guideline.fields} | {"candidate_id", LOCALE}
        ours = {name: columns for name, columns in self.layout.mapping.items() if name in fields}
        return read_catalogue(
            self.catalogue,
            self.guideline,
            ours,
            skip_bad_rows=self.layout.skip_bad_rows,
            name=self.names.get("catalogue"),
            encoding=self.config.encoding,
            asked=locales,
        )


def _note_texts(read: Mapping[str, str], comparisons: Sequence[Comparison]) -> None:
    """Say which encoders are compared that read different texts: more text can be all that one of them has gained."""
    for each in comparisons:
        texts = [read[name] for name in (each.system, each.baseline) if name in read]
        if len({*texts}) > 1:
            one, other = (WHAT[text] for text in texts)
            difference = f"{each.system} reads {one}, {each.baseline} {other}"
            note(f"{difference}: the difference may be that alone; --text all has both read all fields")


def common_depth(asked: Sequence[str], rankings: Sequence[Ranked]) -> int:
    """How many results of a query all systems could have shown: as many as the longest list of the shortest run has."""
    deepest = [
        max(len(one.places) for one in each.lists) for name, each in zip(asked, rankings, strict=True) if is_run(name)
    ]
    return min([DEPTH, *deepest])
