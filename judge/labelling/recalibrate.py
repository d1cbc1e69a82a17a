"""A run's labels under another calibration, as a new run: nothing is judged again.

The judge's own probabilities are those of the run, its calibration undone, or those that a blended run keeps next to
them. A blend's texts come from the staged pairs, and its cosines from the run where that has them.
The new run's parts are those of the old one, so that a kill costs one of them, and no more is in memory at a time than
`ROWS` rows with their texts and a part of labels.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from judge import __version__
from judge.calibration.abstain import Threshold, choose
from judge.calibration.calibrate import Calibration
from judge.calibration.temperature import undo
from judge.errors import InputError, RunError
from judge.files import keep, now
from judge.fingerprint import Fingerprint
from judge.labelling.blending import encoder_of
from judge.labelling.config import JudgeConfig
from judge.labelling.label import read_pairs
from judge.labelling.prompt_replay import find_template
from judge.labelling.table import Block, Item, ScoredBlock, table
from judge.records import Choice, Outcome, Scores
from judge.run.labels import BLENDED
from judge.run.manifest import Manifest, Tally
from judge.run.parts import rows_of, tally_of
from judge.run.seen import keep_seen
from judge.run.store import Run
from judge.words.split import VERSION
from judge.words.templates import reads_overlap

Floats = npt.NDArray[np.float64]
ROWS = 4096
"""Rows that are taken at a time."""


@dataclass(frozen=True)
class Recalibration:
    """A run, and what its probabilities are to go through."""

    source: Run
    calibration: Calibration
    max_noise: float | None = None
    """As of `judge label --max-noise`."""

    def write(self, out: Run, progress: Callable[[int], None] = lambda rows: None) -> int:
        """Write the new run, or go on with it; the caller holds `out.writing()`. Returns how many rows it had before.

        Raises:
            RunError: The source is unfinished or has no probabilities of its judge's; or `out` is another run.
            InputError: The calibration is for another judge or other grades, or cannot promise `max_noise`.
            ModelError: The encoder that a blend needs is not installed.
        """
        manifest = self.source.manifest
        self._check(manifest)
        threshold = None if self.max_noise is None else choose(self.calibration.held_out, self.max_noise)
        encoder = None if self._has_cosines(manifest) else encoder_of(self.calibration)
        _begin(self.source, out, self._manifest(manifest, threshold))
        keep_seen(out.path, [self.source.path])
        done = start = out.position()
        config = JudgeConfig(calibration=self.calibration, threshold=threshold, encoder=encoder)
        again = _Again(out.manifest, manifest, self._has_cosines(manifest), config)
        pairs = (item for batch in read_pairs(out.pairs_path, start, ROWS) for item in batch)
        position = 0
        for part in self.source.parts():
            begin, position = position, position + rows_of(part)
            if begin < start:
                continue
            pieces = [again.labelled(items, labels) for items, labels in _aligned(part, pairs)]
            out.append(begin, _joined(pieces), Tally(cut=tally_of(part).cut))
            progress(position - begin)
        out.finish()
        return done

    def _has_cosines(self, manifest: Manifest) -> bool:
        """Whether the run keeps cosines of the encoder, and by the rule, that the calibration was fitted with."""
        before, blend = (manifest.calibration or {}).get("blend"), self.calibration.blend
        if not before or not blend or not blend.encoder:
            return False
        same_words = manifest.parts.get("words") == str(VERSION)
        return bool(same_words and before.get("encoder") == blend.encoder and before.get("near") == blend.near)

    def _check(self, manifest: Manifest) -> None:
        self.source.check_finished()
        check_own_probabilities(self.source, manifest)
        if lines := self.calibration.differences(manifest.parts):
            raise InputError(
                f"the calibration was fitted to another judge's probabilities; what differs: {'; '.join(lines)}",
                "calibrate with this run: `judge calibrate RUN RATINGS`",
            )
        if len(self.calibration.bias) != len(manifest.values):
            raise InputError(
                f"the calibration is for {len(self.calibration.bias)} grades, {self.source.path} has "
                f"{len(manifest.values)}",
                "calibrate with ratings by its guideline",
            )

    def _manifest(self, manifest: Manifest, threshold: Threshold | None) -> Manifest:
        asked = JudgeConfig(calibration=self.calibration, threshold=threshold).parts
        # The prompts are the run's own, and so is the rule for words that they were made by.
        template = find_template(manifest.parts.get("template_digest"))
        own = {"template_digest", *(["words"] if template and reads_overlap(template) else [])}
        changed = {name: part for name, part in asked.items() if name not in own}
        lineage = {"recalibrated_from": manifest.fingerprint, "toolkit": __version__}
        made = Fingerprint(parts={**manifest.parts, **changed, **lineage})
        # Counts, times and bills are the sitting's that judged; this one has its own.
        fresh = dict.fromkeys(("finished", "counts", "judged", "judge_seconds", "usage"))
        numbers = self.calibration.numbers
        more = {"fingerprint": made.value, "parts": made.parts, "calibration": numbers, "created": now()}
        return Manifest.model_validate(manifest.model_dump() | fresh | more)


def own_column(manifest: Manifest) -> str:
    """The column of a run's labels that the judge's own probabilities follow from; see `own_probabilities`."""
    return BLENDED[0] if (manifest.calibration or {}).get("blend") else "probabilities"


def own_probabilities(manifest: Manifest, chances: Floats) -> Floats:
    """The judge's own probabilities, shape (N, K), of those in `own_column`: a temperature and biases undone."""
    numbers = manifest.calibration
    if not numbers or numbers.get("blend"):
        return chances
    return undo(chances, float(numbers["temperature"]), numbers["bias"])


def check_own_probabilities(run: Run, manifest: Manifest) -> None:
    """Refuse a run whose judge's own probabilities cannot be had.

    Raises:
        RunError: They went through a calibration whose numbers the run does not hold, or a blend that kept none.
        InputError: Its grades came without any.
    """
    if own_column(manifest) != "probabilities" and not _keeps_own(run):
        before = manifest.parts.get("recalibrated_from")
        raise RunError(
            f"{run.path}: a blend made its probabilities, and it does not keep the judge's own ones",
            f"name the run that it was made from, of the fingerprint {before}",
        )
    if manifest.parts.get("calibration") and manifest.calibration is None:
        raise RunError(
            f"{run.path}: its probabilities were calibrated already, and it does not hold the numbers",
            "label the rated pairs with --calibration none, and calibrate with that run",
        )
    if run.query("SELECT count(probabilities) = 0 AND count(grade) > 0 FROM labels")[0][0]:
        raise InputError(
            f"{run.path}: its grades came without probabilities, so there is nothing to calibrate",
            "label with a judge that tells them: an endpoint with log-probabilities, or --samples",
        )


@dataclass(frozen=True)
class _Again:
    """Labels of a run under another calibration."""

    manifest: Manifest
    before: Manifest
    has_cosines: bool
    config: JudgeConfig

    def labelled(self, items: list[Item], labels: Any) -> Any:
        """New labels as an Arrow table of some rows, and their old ones. What has no probabilities stays as it is."""
        import pyarrow as pa

        table_before = pa.Table.from_batches([labels])
        own = own_column(self.before)
        rows = labels.select(["row", "grade", own, "outside_mass"]).to_pylist()
        if [row["row"] for row in rows] != [item[1]["row"] for item in items]:
            raise RunError("the run's labels are not those of its pairs", "label into a new directory")
        scored = [at for at, row in enumerate(rows) if row[own] is not None]
        answers: dict[int, Outcome] = {}
        told = np.array([rows[at][own] for at in scored], dtype=np.float64)
        chances = own_probabilities(self.before, told.reshape(-1, len(self.before.values)))
        with np.errstate(divide="ignore"):
            logs = np.log(chances).tolist()
        for at, log in zip(scored, logs, strict=True):
            answers[at] = Scores(tuple(log), rows[at]["outside_mass"])
        for at, row in enumerate(rows):
            if row["grade"] is not None and at not in answers:
                answers[at] = Choice(self.before.values.index(row["grade"]))
        places = sorted(answers)
        cosines = labels["cosine"].to_numpy(zero_copy_only=False)[places] if self.has_cosines else None
        judged = ScoredBlock(Block([items[at] for at in places], ()), [answers[at] for at in places], cosines)
        new = table(judged, self.before.values, self.manifest.fingerprint, self.config)
        marked = pa.array([self.manifest.fingerprint] * len(rows), pa.string())
        kept = table_before.set_column(table_before.schema.get_field_index("fingerprint"), "fingerprint", marked)
        order = np.arange(len(rows))
        order[places] = len(rows) + np.arange(len(places))
        for field in new.schema:
            if field.name not in kept.schema.names:
                kept = kept.append_column(field, pa.nulls(len(rows), field.type))
        found = pa.concat_tables([kept.select(new.schema.names).cast(new.schema), new]).take(pa.array(order))
        for name in labels.schema.names:  # an ensemble's: what its judges said stays what they said
            if name not in (*new.schema.names, *BLENDED):
                found = found.append_column(name, table_before[name])
        return found


def _keeps_own(run: Run) -> bool:
    import pyarrow.parquet as pq

    return all(BLENDED[0] in pq.read_schema(part).names for part in run.parts())


def _begin(source: Run, out: Run, manifest: Manifest) -> None:
    if out.path.resolve() == source.path.resolve():
        raise RunError(f"{out.path}: is the run itself", "choose a new directory with --out")
    if out.manifest_path.is_file():
        out.check_same(Fingerprint(parts=manifest.parts), manifest.inputs)
        return
    partial = out.path / f"{out.pairs_path.name}.partial"
    shutil.copyfile(source.pairs_path, partial)
    keep(partial, out.pairs_path)
    out.begin(manifest)


def _aligned(part: Any, pairs: Iterator[Item]) -> Iterator[tuple[list[Item], Any]]:
    """Batches of a part's labels with their rows of the staged pairs."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(part) as file:
        for batch in file.iter_batches(batch_size=ROWS):
            yield list(islice(pairs, batch.num_rows)), batch


def _joined(pieces: list[Any]) -> Any:
    import pyarrow as pa

    return pa.concat_tables(pieces)
