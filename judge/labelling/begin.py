"""How a run begins: its input is read and checked, and its manifest says what made it."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from judge import __version__
from judge.calibration.calibrate import Calibration
from judge.errors import InputError
from judge.files import now
from judge.fingerprint import Fingerprint, digest, file_digest
from judge.labelling.blending import plain_hint
from judge.labelling.grow import grow, grows, room
from judge.pairs.stage import Source, Staged, stage
from judge.ratings.layout import RatingsLayout
from judge.ratings.reader import stage_ratings
from judge.records import WorkedExample
from judge.run.manifest import Manifest
from judge.run.remembered import reads_alike
from judge.run.store import Run
from judge.tables.sniff import files_of
from judge.words.forms import NORMALISATION
from judge.words.guideline import Guideline


def begin_run(
    run: Run,
    source: Source,
    guideline: Guideline,
    judge: Callable[[], Mapping[str, str | None]],
    calibration: Calibration | None = None,
    examples: Callable[[Path], Sequence[WorkedExample]] = lambda pairs: (),
) -> Fingerprint:
    """Stage the input and write the manifest; or, where the run has begun before, check that it is the same.

    `judge` gives the parts of the fingerprint that say who judges; it is called once the input has been read. So is
    `examples`, with the staged pairs: it gives the examples that the judge is shown.
    """
    read = list(source.paths.values())
    states = [_state(path) for path in read]
    inputs = _inputs(source)
    begun = run.manifest_path.is_file()
    staged = None if begun else read_input(source, guideline, run.path)
    shown = tuple(examples(run.pairs_path))
    parts = {"examples": digest([each.model_dump(mode="json") for each in shown])[:16]} if shown else {}
    maker = fingerprint(guideline, {**judge(), **parts})
    if calibration and (lines := calibration.differences(maker.parts)):
        raise InputError(
            f"the calibration was fitted to another judge's probabilities; what differs: {'; '.join(lines)}",
            "label rated pairs with this judge, and fit one to them with `judge calibrate`",
        )
    if staged is None:
        before = run.manifest
        if reads_alike(before, source.mapping):
            inputs["map"] = before.inputs.get("map")
        larger, planned = grows(before.inputs, inputs), run.plan_path.is_file()
        if before.fingerprint == maker.value and larger and not planned:
            with room(run) as folder:
                staged = read_input(source, guideline, folder)
                _check_kept(read, states)
                grow(run, folder, staged, inputs, guideline)
        hint = "; a run that was planned for workers does not grow" if larger and planned else ""
        run.check_same(maker, inputs, hint + plain_hint(calibration, before.calibration))
        return maker
    _check_kept(read, states)
    run.begin(
        Manifest(
            fingerprint=maker.value,
            parts=maker.parts,
            inputs=inputs,
            files=source.names,
            guideline=guideline.model_dump(mode="json"),
            normalisation=NORMALISATION,
            calibration=calibration.numbers if calibration else None,
            examples=shown,
            missing_fields=tuple(staged.missing),
            passed_over=staged.passed_over,
            rows=staged.rows,
            created=now(),
        )
    )
    return maker


def _inputs(source: Source) -> dict[str, str | int | None]:
    """What the manifest says of the input: what is read, and how."""
    return {
        "catalogue": None,
        **{what: input_digest(path) for what, path in source.paths.items()},
        "map": json.dumps({name: list(columns) for name, columns in sorted(source.mapping.items())}),
        "grades": json.dumps(dict(source.grades), sort_keys=True) if source.grades is not None else None,
        "limit": source.limit,
        **({"sample": source.sample, "seed": source.seed} if source.sample is not None else {}),
        **({"encoding": source.encoding} if source.encoding else {}),
    }


def read_input(source: Source, guideline: Guideline, directory: Path) -> Staged:
    """Stage the pairs into a directory, and refuse rows that are wrong.

    Raises:
        InputError: A file cannot be used, or rows are wrong and not to be skipped.
    """
    if source.grades is None:
        staged = stage(source, guideline, directory)
    else:
        layout = RatingsLayout(source.mapping, source.grades, skip_bad_rows=source.skip_bad_rows, one_grade=True)
        with tempfile.TemporaryDirectory(prefix="staging-", dir=directory) as scratch:
            staged, _ = stage_ratings(source, layout, guideline, directory, Path(scratch))
    staged.refuse(skip_bad_rows=source.skip_bad_rows)
    return staged


def fingerprint(guideline: Guideline, judge: Mapping[str, str | None]) -> Fingerprint:
    """What a judge's parts and a guideline come to."""
    words = {
        "guideline": f"{guideline.name} {guideline.version}",
        "guideline_digest": guideline.digest,
        "fields": ", ".join(f.name for f in guideline.fields),
        "budgets": digest(guideline.budgets)[:16],
    }
    return Fingerprint(
        parts={"template_digest": None, "calibration": None, "adapter": None, **judge, **words, "toolkit": __version__}
    )


def input_digest(path: Path) -> str:
    """SHA-256 (hex) of a file; of a folder or pattern of Parquet, over those of its files in their order."""
    with _readable(path):
        found = [file_digest(part) for part in files_of(path)]
    return found[0] if len(found) == 1 else digest(found)


def _state(path: Path) -> list[tuple[int, int, int]]:
    """What differs once a file was appended to, written over or replaced. A second digest would say the same, and of a
    large file it takes as long as reading it once more."""
    with _readable(path):
        found = [part.stat() for part in files_of(path)]
    return [(part.st_size, part.st_mtime_ns, part.st_ino) for part in found]


def _check_kept(paths: Sequence[Path], states: Sequence[object]) -> None:
    """Refuse files that changed since their state was noted."""
    for path, state in zip(paths, states, strict=True):
        if _state(path) != state:
            raise InputError(f"{path}: changed while it was read", "wait until it is whole, and run again")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror})", "name a file that exists and can be read"
        ) from None
