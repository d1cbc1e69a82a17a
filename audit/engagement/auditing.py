"""`judge audit`: a run and shoppers' engagement in, what they say of each other out."""

from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from audit.engagement.aggregate import ACTIONS, Aggregated, Rules, aggregate
from audit.engagement.assumptions import check_log
from audit.engagement.checks import Check, DoubtedQuery, allowed, check, doubted_queries
from audit.engagement.counts import read_cells, read_searches
from audit.engagement.evidence import ChannelPosterior
from audit.engagement.examination import Examination, examine
from audit.engagement.flags import FlagRow, Weighed, find_flags, weigh
from audit.engagement.labelled import Labelled, LabelledPairs, count_used, gather, match
from audit.engagement.queries import QueryRow, query_rows, traffic_mix, zero_click_summary
from audit.engagement.source import EngagementFile, connect, within_memory
from audit.engagement.three_views import Agreement, believed
from audit.engagement.trials import PER
from judge.calibration.promise import Promise, Sample, order_digest, promises, read_sample
from judge.errors import InputError
from judge.files import now
from judge.run.decisions import Decisions, outcomes
from judge.run.flag_types import flag_types
from judge.run.store import Run
from judge.scratch import scratch_folder

PLACELESS = (
    "the counts have no positions, so this audit is weaker: what stood low on the page looks less relevant than it is, "
    "what stood high more"
)


@dataclass(frozen=True)
class Settings:
    """How to audit.

    `level` is the false discovery rate of each type of flag; `ratings` are people's grades, or null.
    """

    level: float = 0.1
    ratings: LabelledPairs | None = None
    rules: Rules = field(default_factory=Rules)
    seed: int = 0


@dataclass(frozen=True)
class Audit:
    """What an audit found."""

    run: Run
    events: str
    level: float
    aggregated: Aggregated
    examination: Examination
    labelled: Labelled
    agreement: Agreement
    """What label, clicks and the query's other labels say together of how good the labels are."""
    weighed: Weighed
    checks: tuple[Check, ...]
    """Whether the events are what an audit takes them for, and the model behind the chances fits them."""
    flags: list[FlagRow]
    queries: list[QueryRow]
    unmatched: int
    """Queries of the events that are not the run's."""
    of_other_pairs: int
    """Rows of the events that are used, and are about pairs that the run has no grade for."""

    @property
    def with_evidence(self) -> int:
        """Labelled pairs with at least one examined impression."""
        return int((self.labelled.examined > 0).sum())

    @cached_property
    def doubted(self) -> list[DoubtedQuery]:
        """Queries whose labels are doubted together, the most wrong labels first."""
        return doubted_queries(self.labelled, self.weighed)

    @cached_property
    def sample(self) -> Sample | None:
        """The random sample that was drawn of this audit's order; null where none was."""
        found, order = read_sample(self.run.path), self.labelled.row[self.weighed.order]
        return found if found and found.order == order_digest(order) else None

    @cached_property
    def promises(self) -> list[Promise]:
        """What decisions on a random sample of these flags promise; empty before there are any."""
        return promises(self.sample, outcomes(Decisions(self.run.path).latest())) if self.sample else []

    @property
    def note(self) -> str | None:
        """What cannot be told of where people looked, and how many impressions that leaves out."""
        unused, shown = self.labelled.unused.sum(), self.labelled.impressions.sum()
        left_out = f"{unused:,.0f} of {shown:,.0f} impressions of graded pairs are not used" if unused else None
        if not self.aggregated.placed:
            return PLACELESS
        why = self.examination.note or (left_out and "where they stood, too few searches tell whether anybody looked")
        return ": ".join(filter(None, (left_out, why))) or None

    def as_json(self) -> dict[str, Any]:
        """Everything but the pairs; undefined figures are null and say why."""
        manifest = self.run.manifest
        model = self.examination
        return {
            "run": str(self.run.path),
            "fingerprint": manifest.fingerprint,
            "judge": manifest.judge,
            "events": self.events,
            "made": now(),
            "false_discovery_rate": self.level,
            "input": {**asdict(self.aggregated), "of_other_pairs": self.of_other_pairs},
            "pairs": {
                "rows": manifest.rows,
                "graded": len(self.labelled),
                "with_impressions": int((self.labelled.impressions > 0).sum()),
                "with_examined_impressions": self.with_evidence,
                "with_people_grade": int((self.labelled.people >= 0).sum()),
                "expected_wrong": float(self.weighed.wrong(self.labelled).sum()),
                "flagged": len({flag.pair for flag in self.flags}),
            },
            "flags": {kind: sum(flag.type == kind for flag in self.flags) for kind in flag_types()},
            "rate": {
                "basis": "promised" if any(each.pairs for each in self.promises) else "model",
                "checks": [asdict(each) for each in self.checks],
                "borne_out": self.weighed.borne_out.as_json(),
                "promises": [each.model_dump() for each in self.promises],
            },
            "examination": {
                "model": model.model.name,
                "held_out_perplexity": dict(model.perplexities),
                "one_rate_perplexity": model.base_perplexity,
                "note": self.note,
                "curve": [asdict(point) for point in model.curve],
            },
            "rates": self._all_rates(),
            "label_agreement": {**asdict(self.agreement), "note": self.agreement.note(by_people=manifest.by_people)},
            "doubted_queries": [asdict(each) for each in self.doubted],
            "trials": self.labelled.trials.summary(self.labelled.index),
            "zero_click": zero_click_summary(self.queries),
            "traffic": {**traffic_mix(self.queries), "queries_not_in_run": self.unmatched},
        }

    def _all_rates(self) -> dict[str, Any]:
        """Of clicks, carts and purchases: one entry for each thing that they are counted against."""
        found = {"clicks": {"per": PER[0], **self._rates(self.weighed.clicks)}}
        for name in ("carts", "purchases"):
            for at, (per, channel) in enumerate(getattr(self.weighed, name).items()):
                found[f"{name} per {per}" if at else name] = {"per": per, **self._rates(channel)}
        return found

    def _rates(self, verdict: ChannelPosterior) -> dict[str, Any]:
        if verdict.rates is None:
            return {"by_grade": None, "reason": verdict.reason}
        rates = verdict.rates
        values = [str(value) for value in self.run.manifest.values]
        return {
            "by_grade": dict(zip(values, rates.mean.tolist(), strict=True)),
            "concentration": dict(zip(values, rates.kappa.tolist(), strict=True)),
            "query_spread": rates.spread,
            "prior_sharpness": rates.sharpness,
            "prior_doubt": rates.doubt,
            "reason": None,
        }


def audit(run: Run, source: EngagementFile, settings: Settings) -> Audit:
    """Compare a finished run's labels with shoppers' engagement. Nothing is written.

    Raises:
        RunError: The run is unfinished.
        InputError: The engagement cannot be read, or is of other queries.
    """
    run.check_whole()
    grades = len(run.manifest.values)
    with (
        scratch_folder("audit") as scratch,
        connect(Path(scratch), settings.rules.memory, settings.rules.threads) as db,
        within_memory(),
    ):
        aggregated = aggregate(db, source, settings.rules)
        name = source.name or str(source.path)
        if not aggregated.used:
            aside = ", ".join(f"{count:,} {why}" for why, count in aggregated.set_aside.items())
            raise InputError(f"{name}: no row can be used ({aside or 'it is empty'})", _fix(aggregated))
        match(db, run, settings.ratings)
        if not db.execute("SELECT count(*) FROM labelled").fetchone()[0]:
            raise InputError(f"{run.path}: has no graded pair", "`judge status RUN` says why")
        unmatched, others = _unmatched(db, run, aggregated.used, name)
        searches = read_searches(db) if aggregated.sessions else None
        examination = examine(read_cells(db), searches, settings.seed)
        labelled = gather(db, examination, grades)
        queries = query_rows(db, labelled)
    labelled, agreement = believed(labelled, grades, settings.seed)
    weighed = weigh(labelled, grades, settings.seed, agreement)
    checks = (*check_log(labelled, aggregated, examination, searches), *check(labelled, weighed, agreement))
    flags = find_flags(labelled, weighed, *allowed(checks, settings.level))
    return Audit(
        run,
        name,
        settings.level,
        aggregated,
        examination,
        labelled,
        agreement,
        weighed,
        checks,
        flags,
        queries,
        unmatched,
        others,
    )


def _unmatched(db: Any, run: Run, used: int, name: str) -> tuple[int, int]:
    """Queries of the events that the run has not, and rows that are about none of its graded pairs.

    Raises:
        InputError: All of them are.
    """
    known, unmatched = db.execute("""SELECT count(DISTINCT m.q), count(DISTINCT k.q) - count(DISTINCT m.q)
        FROM query_keys k LEFT JOIN matched m USING (q)""").fetchone()
    if not known:
        raise InputError(
            f"{name}: none of its {unmatched:,} queries is in {run.path}",
            "give the run's query_id or the query's text: --map query=COLUMN",
        )
    others = used - count_used(db)
    if others == used:
        raise InputError(
            f"{name}: none of its {others:,} rows is about a graded pair of {run.path}, though {known:,} "
            "of its queries are the run's",
            "give the candidate ids that the run has: --map candidate_id=COLUMN",
        )
    return int(unmatched), others


def _fix(found: Aggregated) -> str:
    """What to do where no row can be used."""
    if found.set_aside.get("no_query"):
        return "the words of queries may stand in a file of their own (UBI's ubi_queries): give it with --queries FILE"
    if found.other_actions:
        there = ", ".join(f"{name!r} ({count:,})" for name, count in found.other_actions.items())
        return f"write {', '.join(ACTIONS)} in the column of actions; it has {there}"
    if found.set_aside.get("bot"):
        return "leave client_id empty where it is not one shopper's, such as an id that all without consent share"
    if found.set_aside.get("bad_position"):
        return "write ranks as whole numbers, or give counts: `query, candidate_id, impressions, clicks`"
    return "see `judge audit --help` for the columns"
