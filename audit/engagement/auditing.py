"""`judge audit`: a run and shoppers' engagement in; evidence, flags and a report out."""

import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audit.engagement.aggregate import Aggregated, Rules, aggregate, connect
from audit.engagement.cells import read_cells, read_searches
from audit.engagement.evidence import Verdict
from audit.engagement.examination import Examination, examine
from audit.engagement.flags import FlagRow, FlagType, Weighed, expected_clicks, find_flags, weigh
from audit.engagement.labelled import Labelled, Ratings, gather, match
from audit.engagement.queries import QueryRow, query_rows, traffic_mix, zero_click_summary
from audit.engagement.source import EngagementFile
from judge.errors import InputError
from judge.files import dump_json, keep, now, write_whole
from judge.store import Run


@dataclass(frozen=True)
class Settings:
    """How to audit.

    `level` is the false discovery rate of each type of flag; `ratings` are people's grades, or null.
    """

    level: float = 0.1
    ratings: Ratings | None = None
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
    weighed: Weighed
    flags: list[FlagRow]
    queries: list[QueryRow]
    unmatched: int
    """Queries of the events that are not the run's."""

    @property
    def with_evidence(self) -> int:
        """Labelled pairs with at least one examined impression."""
        return int((self.labelled.examined > 0).sum())

    def as_json(self) -> dict[str, Any]:
        """Everything but the pairs; undefined figures are null and say why."""
        manifest = self.run.manifest
        model = self.examination
        wrong = self.weighed.wrong(self.labelled)
        return {
            "run": str(self.run.path),
            "fingerprint": manifest.fingerprint,
            "judge": manifest.parts.get("judge"),
            "events": self.events,
            "made": now(),
            "false_discovery_rate": self.level,
            "input": asdict(self.aggregated),
            "pairs": {
                "rows": manifest.rows,
                "graded": len(self.labelled),
                "with_impressions": int((self.labelled.impressions > 0).sum()),
                "with_examined_impressions": self.with_evidence,
                "expected_wrong": float(wrong.sum()),
                "flagged": len({flag.pair for flag in self.flags}),
            },
            "flags": {kind: sum(flag.type is kind for flag in self.flags) for kind in FlagType},
            "examination": {
                "model": model.model.name,
                "held_out_perplexity": dict(model.perplexities),
                "one_rate_perplexity": model.base_perplexity,
                "note": model.note,
                "curve": [asdict(point) for point in model.curve],
            },
            "rates": {name: self._rates(getattr(self.weighed, name)) for name in ("clicks", "carts", "purchases")},
            "zero_click": zero_click_summary(self.queries),
            "traffic": {**traffic_mix(self.queries), "queries_not_in_run": self.unmatched},
        }

    def _rates(self, verdict: Verdict) -> dict[str, Any]:
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
    with tempfile.TemporaryDirectory(prefix="audit-") as scratch:
        db = connect(Path(scratch), settings.rules)
        with db:
            aggregated = aggregate(db, source, settings.rules)
            name = source.name or str(source.path)
            if not aggregated.used:
                raise InputError(
                    f"{name}: no row can be used ({_listed(aggregated.set_aside)})",
                    "see `judge audit --help` for the columns",
                )
            match(db, run, settings.ratings)
            known, unmatched = db.execute("""SELECT count(DISTINCT m.q), count(DISTINCT k.q) - count(DISTINCT m.q)
                FROM query_keys k LEFT JOIN matched m USING (q)""").fetchone()
            if not known:
                raise InputError(
                    f"{name}: none of its {unmatched:,} queries is in {run.path}",
                    "give the run's query_id or the query's text: --map query=COLUMN",
                )
            searches = read_searches(db) if aggregated.sessions else None
            examination = examine(read_cells(db), searches, settings.seed)
            labelled = gather(db, examination, grades)
            queries = query_rows(db, labelled)
    weighed = weigh(labelled, grades, settings.seed)
    flags = find_flags(labelled, weighed, settings.level)
    return Audit(run, name, settings.level, aggregated, examination, labelled, weighed, flags, queries, int(unmatched))


def write_audit(found: Audit, out: Path) -> None:
    """Write `evidence.parquet`, `flags.parquet`, `queries.parquet`, `audit.json` and `report.html`, each whole.

    Raises:
        InputError: The directory cannot be written.
    """
    from audit.engagement.report import as_html

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})", "choose a place with --out") from None
    evidence = evidence_table(found)
    flags = flags_table(found, evidence)
    _parquet(evidence, out / "evidence.parquet")
    _parquet(flags, out / "flags.parquet")
    # Where adjudication, the queue and the review find them.
    _parquet(evidence, found.run.path / "evidence.parquet")
    _parquet(flags, found.run.path / "flags.parquet")
    _parquet(queries_table(found), out / "queries.parquet")
    write_whole(out / "report.html", as_html(found, flags.to_pylist()).encode())
    write_whole(out / "audit.json", dump_json(found.as_json()).encode())


def evidence_table(found: Audit) -> Any:
    """Arrow table with a row for every graded pair, in input order."""
    import pyarrow as pa

    labelled, weighed = found.labelled, found.weighed
    values = np.array(found.run.manifest.values)
    expected = np.full(len(labelled), np.nan)
    rate = weighed.clicks.expected[np.arange(len(labelled)), labelled.grade]
    expected = np.where(labelled.examined > 0, rate * labelled.examined, np.nan)
    columns = {
        "row": labelled.row,
        "query_id": labelled.query_id,
        "query": labelled.query,
        "candidate_id": labelled.candidate_id,
        "grade": values[labelled.grade] if len(labelled) else [],
        "posterior": weighed.posterior.tolist(),
        "p_wrong": weighed.wrong(labelled),
        "impressions": labelled.impressions.astype(np.int64),
        "examined_impressions": labelled.examined,
        "unused_impressions": labelled.unused.astype(np.int64),
        "clicks": labelled.clicks.astype(np.int64),
        "expected_clicks": pa.array(expected, mask=np.isnan(expected)),
        "carts": labelled.carts.astype(np.int64),
        "purchases": labelled.purchases.astype(np.int64),
    }
    return pa.table(columns)


def flags_table(found: Audit, evidence: Any) -> Any:
    """Arrow table with a row for every flag, strongest first: the evidence, and what the flag says."""
    import pyarrow as pa

    rows = np.array([flag.pair for flag in found.flags], dtype=np.int64)
    values = found.run.manifest.values
    table = evidence.take(pa.array(rows))
    ranges = expected_clicks(found.labelled, found.weighed, rows)
    people = found.labelled.people[rows]
    live = found.labelled.live[rows]
    more = {
        "expected_low": pa.array([r and r[1] for r in ranges], pa.int64()),
        "expected_high": pa.array([r and r[2] for r in ranges], pa.int64()),
        "live_examined": pa.array([None if np.isnan(value) else float(value) for value in live], pa.float64()),
        "people_grade": pa.array([None if p < 0 else values[p] for p in people], pa.int64()),
        "type": pa.array([str(flag.type) for flag in found.flags], pa.string()),
        "strength": pa.array([flag.strength for flag in found.flags], pa.float64()),
        "q_value": pa.array([flag.q_value for flag in found.flags], pa.float64()),
        "suggested_grade": pa.array([values[flag.suggested] for flag in found.flags], pa.int64()),
        "suggested_action": pa.array([flag.action for flag in found.flags], pa.string()),
        "candidate": pa.array([dump_json(dict(found.labelled.candidate[i])) for i in rows], pa.string()),
    }
    for name, column in more.items():
        table = table.append_column(name, column)
    return table


def queries_table(found: Audit) -> Any:
    """Arrow table of `QueryRow`s, most searched first."""
    import pyarrow as pa

    names = list(QueryRow.__dataclass_fields__)
    kinds = {"searches": pa.int64(), "clicks": pa.int64(), "labelled_pairs": pa.int64(), "popular": pa.bool_()}
    kinds |= {"zero_click": pa.float64(), "weight": pa.float64(), "promoted": pa.bool_(), "thin": pa.bool_()}
    fields = [(name, kinds.get(name, pa.string())) for name in names]
    return pa.table({n: [getattr(row, n) for row in found.queries] for n in names}, schema=pa.schema(fields))


def _parquet(table: Any, path: Path) -> None:
    import pyarrow.parquet as pq

    partial = path.with_name(f".{path.name}.partial")
    pq.write_table(table, partial, compression="zstd")
    keep(partial, path)


def _listed(counts: Any) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "it is empty"
