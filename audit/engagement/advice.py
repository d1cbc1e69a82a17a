"""What to do next after an audit, in a line: what helps depends on what was flagged, and on what was decided so far."""

import shlex
from typing import TYPE_CHECKING

from audit.engagement.checks import engagement_types
from judge.calibration.promise import POOL, Sample
from judge.records import counted
from judge.run.decisions import Decisions, outcomes

if TYPE_CHECKING:
    from audit.engagement.auditing import Audit

DECISIONS = 150
"""Of a random sample, enough to promise 30% false flags in most audits (docs/audit.md). Fewer flags are decided one by
one: that takes less, and nothing has to be promised of them."""


def next_step(found: "Audit") -> str | None:
    """What to do next; null where a rate of false flags is promised."""
    if any(each.pairs for each in found.promises):
        return None
    if found.sample:
        return _of_sample(found, found.sample)
    flagged = len({flag.pair for flag in found.flags})
    return _of_flags(found, flagged) if flagged else _without_flags(found)


def _of_sample(found: "Audit", sample: Sample) -> str:
    """With a sample of this audit's order that promises nothing, or nothing yet."""
    size = len(sample.pairs)
    if found.promises:
        most = found.promises[-1]
        return (
            f"no rate of false flags can be promised: of {most.decided:,} decisions on the first pairs of the random "
            f"sample of {size:,}, {most.false:,} found no wrong label; q is model-based"
        )
    looked = outcomes(Decisions(found.run.path).latest())
    decided = sum(pair in looked for pair in sample.pairs)
    return (
        f"{decided:,} of the {size:,} pairs of the random sample are decided: once all are, a rate is promised; "
        f"the rest: {_queue(found, size)}"
    )


def _of_flags(found: "Audit", flagged: int) -> str:
    expected, ranked = float(found.weighed.wrong(found.labelled).sum()), len(found.weighed.order)
    told = f"{expected:,.0f} labels expected wrong, and q, are model-based; "
    if flagged <= DECISIONS:
        return f"{told}decide on what is flagged: `judge review {_run(found)}`"
    size = max(min(DECISIONS, ranked // POOL), 1)
    return f"{told}decide on the pairs of {_queue(found, size)} for a rate that is promised"


def _without_flags(found: "Audit") -> str:
    if not found.with_evidence:
        return "no graded pair has engagement that tells anything, so nothing can be flagged by it"
    if {name for each in found.checks for name in each.held} >= set(engagement_types()):
        return "nothing can be flagged by these events before that is fixed"
    expected = float(found.weighed.wrong(found.labelled).sum())
    if expected < 1:
        return "the model expects no wrong label: there is nothing to decide on"
    higher = f", as a higher --fdr than {found.level:g} does" if found.level < 0.5 else ""
    return (
        f"about {counted(round(expected), 'label')} expected wrong (model-based), and none is sure enough to be "
        f"flagged: more events flag more{higher}"
    )


def _queue(found: "Audit", size: int) -> str:
    return f"`judge queue {_run(found)} --to csv --out sample.csv --calibration-sample {size}`"


def _run(found: "Audit") -> str:
    return shlex.quote(str(found.run.path))
