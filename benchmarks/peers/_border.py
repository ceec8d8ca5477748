"""What a version does with an argument that is not legal: a label or a probability out of range, a column for a row."""

import warnings
from typing import Any

import numpy as np

from benchmarks.truth import CASES, grid, settings

from ._version import Version


ILLEGAL: dict[str, list[Any]] = {
    "binary": [-1.0, 0.5, 2.0],
    "unit": [-1.0, 1.5, 2.0],
    "label": [-1, 3, 100],
    "simplex": [[-0.1, 0.6, 0.5], [0.0, np.nan, 1.0]],
    "non-zero": [0.0],
    "non-negative": [-1.0],
    "positive": [0.0, -1.0],
}
IMPOSSIBLE = [-0.1, 1.1]
ROWS = 4
# Functions that never see a target.
OF_ONE_ARRAY = ("scipy.special.huber", "scipy.special.log", "scipy.special.pseudo_huber", "statsmodels.robust")


def illegal_accepted(version: Version) -> tuple[int, int]:
    """For how many illegal targets and probabilities a number comes back, and of how many."""
    if version.function.startswith(OF_ONE_ARRAY) or "one-hot" in version.function:
        return 0, 0  # what it would say of a target is not known
    case = next(case for case in CASES if case.name == version.loss)
    given, (predictions, targets) = settings(case, np.float32), grid(case, np.float32)
    illegal = np.array(ILLEGAL.get(case.card.target, []), targets.dtype)
    # A mild prediction, of which the loss of a legal target is a plain number.
    entries = np.nan_to_num(predictions.reshape(len(predictions), -1), neginf=1e9)
    mild = predictions[np.abs(entries - 0.3).max(1).argmin()]
    tried = [(mild, target) for target in illegal]
    if "probabilit" in case.card.prediction:
        tried += [(np.full_like(mild, p), targets[0]) for p in IMPOSSIBLE]
    return sum(_finite(version, p, t, given) for p, t in tried), len(tried)


def _finite(version: Version, prediction: Any, target: Any, given: Any) -> bool:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = version.call(np.asarray(prediction)[None], np.asarray(target)[None], **given)
        except Exception:  # whatever it raises, it has not accepted
            return False
    return bool(np.isfinite(np.asarray(found)).all())


def wrong_shapes(version: Version) -> str:
    """What comes of predictions (n, 1) against targets (n,), or of vectors (n, k) against targets (n, 1)."""
    if version.library in ("scipy", "statsmodels"):
        return ""  # it broadcasts as NumPy does, by design
    case = next(case for case in CASES if case.name == version.loss)
    given, (predictions, targets) = settings(case, np.float32), grid(case, np.float32)
    legal = [i for i, y in enumerate(targets.tolist()) if not version.hard or y in (0, 1)]
    some = np.array(legal)[np.linspace(0, len(legal) - 1, ROWS).astype(int)]
    p, t = predictions[some], targets[some]
    vector = case.card.prediction_ndim == 1
    wrong = (p, t.reshape(ROWS, -1)[:, :1]) if vector else (p[:, None], t)
    with np.errstate(all="ignore"):
        right = np.asarray(version.call(p, t, **given))
        return _verdict(version, wrong, right, given)


def _verdict(version: Version, wrong: tuple[Any, Any], right: np.ndarray, given: Any) -> str:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            found = np.asarray((version.raw or version.call)(*wrong, **given))
        except Exception:  # whatever it raises, it has refused
            return "refused"
    said = " with a warning" if any("size" in str(warning.message) for warning in heard) else ""
    same = found.size == right.size and np.allclose(found.ravel(), right, equal_nan=True)
    if same or (found.size == 1 and np.allclose(found, np.mean(right), equal_nan=True)):
        return "aligned" + said
    return f"broadcast to {' × '.join(map(str, found.shape)) or 'a number'}{said}".replace(str(ROWS), "n")
