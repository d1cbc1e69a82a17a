"""Which calibration a judge's answers go through, and what a blend reads of the pairs besides.

A fine-tuned judge's directory may hold `blend.json` next to `judge.json`: a calibration that mixes what the judge
says with the embedded encoder's cosine and word overlap. It is the default where the encoder is installed. Elsewhere
the judge's own calibration stands in, which is said aloud, and is another fingerprint.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from judge.calibration.calibrate import CALIBRATION, Calibration, Floats, read_calibration
from judge.calibration.features import blend_encoder, cosines, measure
from judge.documents import load
from judge.errors import InputError, ModelError
from judge.models.encoder import INSTALL, Encoder
from judge.notes import note
from judge.records import Pair
from judge.words.guideline import Guideline

FILE = "blend.json"
NONE = "none"
"""In place of a calibration's file: uncalibrated probabilities."""
PLAIN = "plain"
"""In place of a calibration's file: the fine-tuned judge's own calibration, without its blend."""

Calibrating = tuple[Calibration | None, Encoder | None]


def choose_calibration(
    asked: Path | None,
    own: Calibration | None,
    directory: Path | None,
    guideline: Guideline,
    adapters: Collection[str] = (),
) -> Calibrating:
    """The calibration to go through, and the encoder where it needs one; found, not loaded.

    Args:
        asked: What the user named: a file, `none`, `plain`, or null for the judge's default.
        own: The fine-tuned judge's calibration in `judge.json`, if its answers can go through it.
        directory: Where its blend may lie; null where its answers cannot go through that.
        guideline: What it is asked by.
        adapters: See `own_blend`.

    Raises:
        InputError: The file is no calibration, or one for other grades; or the judge's blend is another one's.
        ModelError: A blend that the user named needs an encoder that is not installed.
    """
    if asked is None and directory is not None and (blend := own_blend(directory, adapters)):
        _check_grades(blend, guideline)
        try:
            return blend, encoder_of(blend)
        except ModelError as error:
            note(f"{directory.name}: judges alone, without its blend; {error.message}; install it: {INSTALL}")
            return own, None
    if asked is None or str(asked) == NONE:
        return (own if asked is None else None), None
    if str(asked) == PLAIN:
        if own is None:
            note(f"calibration {PLAIN}: the judge has none of its own, so that its probabilities are not calibrated")
        return own, None
    found = read_calibration(asked)
    _check_grades(found, guideline)
    return found, encoder_of(found)


def own_blend(directory: Path, adapters: Collection[str] = ()) -> Calibration | None:
    """The blend of a fine-tuned judge's directory, where there is one.

    Args:
        directory: Of the judge.
        adapters: The digests of the judge's adapter, merged or not: a blend that says whose it is has to say one.

    Raises:
        InputError: It is damaged, or of another judge.
    """
    path = directory / FILE
    if not path.is_file():
        return None
    found = load(path, Calibration, CALIBRATION)
    made = found.parts.get("adapter") or found.parts.get("declared_adapter")
    if made and adapters and made not in adapters:
        raise InputError(
            f"{path}: was fitted to the answers of another judge",
            "remove it, or make one with `judge calibrate RUN RATINGS --adapter DIR`",
        )
    # What else its parts say is checked where the directory is read: its blend goes wherever its judge does.
    return found.model_copy(update={"parts": {}})


def _check_grades(calibration: Calibration, guideline: Guideline) -> None:
    if len(calibration.bias) != len(guideline.values):
        raise InputError(
            f"the calibration is for {len(calibration.bias)} grades, {guideline.name!r} has {len(guideline.values)}",
            "calibrate with ratings by this guideline",
        )


def plain_hint(calibration: Calibration | None, before: Mapping[str, Any] | None) -> str:
    """How a run goes on that was labelled before its judge had a blend; empty where it has none, or the run has one.

    Args:
        calibration: What answers would go through now.
        before: The numbers of what the run's went through.
    """
    if calibration is None or calibration.blend is None or (before or {}).get("blend"):
        return ""
    return f"; without the judge's blend: --calibration {PLAIN}"


def blend_state(directory: Path) -> str:
    """What `judge doctor` says of a judge's blend; empty where it has none."""
    blend = own_blend(directory)
    if blend is None:
        return ""
    try:
        encoder_of(blend)
    except ModelError:
        return f"; judges without its blend, which wants an encoder: {INSTALL}"
    return "; blended with word overlap and cosine"


def encoder_of(calibration: Calibration) -> Encoder | None:
    """The encoder that a calibration's blend was fitted with; null where it needs none.

    Raises:
        ModelError: It is not installed, or another one is.
    """
    blend = calibration.blend
    return blend_encoder(blend.names, blend.encoder) if blend else None


def blend_values(
    calibrating: Calibrating, pairs: Sequence[Pair], own: Floats, grades: Sequence[int], known: Floats | None = None
) -> Floats | None:
    """Features of pairs, shape (N, F), in the order that a blend has them; null where nothing is blended.

    Args:
        calibrating: The calibration, and its encoder.
        pairs: N pairs with their texts.
        own: The judge's own probabilities, shape (N, K).
        grades: The guideline's values, ascending.
        known: Cosines, shape (N,), where a run has them by the same rule.
    """
    calibration, encoder = calibrating
    if calibration is None or calibration.blend is None:
        return None
    cosine = partial(cosines, encoder=encoder) if known is None and encoder else known
    return measure(calibration.blend.reading, pairs, own, grades, cosine)
