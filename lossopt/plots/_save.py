"""How a figure becomes a file: the same figure gives the same bytes."""

from os import PathLike
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from ._style import RC


# What would change from one run, or one release of matplotlib, to the next.
_METADATA: dict[str, dict[str, Any]] = {".svg": {"Date": None, "Creator": None}, ".png": {"Software": None}}


def save(figure: Figure, path: str | PathLike[str]) -> Path:
    """Write a figure as SVG or PNG, by the suffix of `path`, which is returned.

    Raises:
        ValueError: another suffix.
    """
    path = Path(path)
    if path.suffix not in _METADATA:
        raise ValueError(f"{path.name}: figures are saved as .svg or .png; change the suffix.")
    with matplotlib.rc_context(RC):
        figure.savefig(path, metadata=_METADATA[path.suffix])
    return path
