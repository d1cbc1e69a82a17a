"""Adding up 100 million events: wall time, processor time and memory of `audit.engagement.aggregate`.

    python benchmarks/engagement_events.py [MILLIONS] [FOLDER]

The events are drawn in DuckDB: ten results a search, clicks on about one in fourteen, 2 in 1,000 events written twice.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from audit.engagement.aggregate import Rules, aggregate
from audit.engagement.source import EngagementFile, connect

DRAW = """COPY (
    WITH searches AS (SELECT i AS s, floor(20000 * pow((hash(i) % 1000003) / 1000003.0, 2))::INT AS q
                      FROM range({searches}) t(i)),
    shown AS (SELECT s, q, p, q * 20 + (p * 7 + hash(s, 'start') % 20)::INT % 20 AS c
              FROM searches, range(1, 11) r(p))
    SELECT 'search-' || s AS search_id, 'client-' || hash(s, 'client') % 2000000 AS client_id, 'query ' || q AS query,
           'P' || c AS candidate_id, p::INT AS position, action,
           TIMESTAMP '2026-01-01' + INTERVAL (s % 8000000) SECOND AS timestamp
    FROM shown, (VALUES ('impression', 0), ('click', 1), ('impression', 2)) a(action, kind)
    WHERE kind = 0 OR (kind = 1 AND hash(s, p, 'click') % 1000 < 110 / p + 40)
        OR (kind = 2 AND hash(s, p, 'twice') % 1000 < 2)
) TO '{path}' (FORMAT parquet, COMPRESSION zstd)"""


def main() -> None:
    """Draw the events, add them up, print what it took."""
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        path = Path(folder) / "events.parquet"
        duckdb.connect().execute(DRAW.format(searches=int(millions * 1e6 / 10.72), path=path))
        before, begun = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        with connect(Path(folder) / "spill", Rules().memory) as db:
            found = aggregate(db, EngagementFile(path))
            cells = db.execute("SELECT count(*) FROM cells").fetchone()[0]
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
        print(f"{found.rows:,} events, {found.used:,} used, set aside {dict(found.set_aside)}; {cells:,} cells")
        print(f"{time.monotonic() - begun:.0f} s, {cpu:.0f} processor-seconds, peak {used.ru_maxrss / 1e6:.1f} GB")


if __name__ == "__main__":
    main()
