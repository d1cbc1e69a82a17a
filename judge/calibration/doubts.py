"""What makes a calibration nothing to rely on, in words."""

import numpy as np

from judge.calibration.calibrate import Calibration, Floats
from judge.calibration.crossing import Present
from judge.calibration.cuts import Objective
from judge.calibration.held_out import Trust
from judge.calibration.ordinal import Evidence
from judge.calibration.temperature import SLOPES

NEARLY_ALL = 0.95
"""The share of pairs of one grade from which a judge is doubted."""


def doubts(
    found: Calibration, logprobs: Floats, evidence: Evidence | None = None, present: Present | None = None
) -> list[str]:
    """One sentence for each doubt; arguments as the calibration was fitted with."""
    said = []
    values = evidence.columns(found.blend.names) if evidence and found.blend else None
    likeliest = np.bincount(found.apply(logprobs, values).argmax(axis=1))
    if (share := likeliest.max() / len(logprobs)) >= NEARLY_ALL:
        said.append(
            f"calibrated, the judge gives one grade to {share:.1%} of the pairs: it tells little more than the mix of "
            "grades does"
        )
    if not 1.01 / SLOPES[1] < found.temperature < 0.99 / SLOPES[0]:
        said.append("the temperature is at the end of its range: its probabilities hardly relate to the ratings")
    if found.present and (lost := _lost(found.present, found.after, evidence.objective if evidence else "log_loss")):
        fix = "try other features"
        if present and not found.blend:
            names = ",".join(present.blend.names[1:] or present.blend.names)
            asked = f"--features {names} --objective {present.blend.objective}"
            fix = f"calibrate with {asked}, since this calibration drops the blend that they went through"
        said.append(f"the run's labels are better as they are ({lost}): keep them, or {fix}")
    return said


def _lost(before: Trust, after: Trust, objective: Objective) -> str:
    """In which figures the labels were better: the objective's, and quadratic kappa, since grades are what is used."""
    said = []
    for name in dict.fromkeys((objective, "quadratic_kappa")):
        one, other = float(getattr(before, name)), float(getattr(after, name))
        if one < other if name == "log_loss" else one > other:
            said.append(f"{name.replace('_', ' ')} {one:.3f}, calibrated {other:.3f}")
    return "; ".join(said)
