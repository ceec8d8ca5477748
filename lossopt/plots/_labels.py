"""Names written at the ends of lines, moved apart where they would overlap. No legend to look up."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ._panels import styled


LINE_HEIGHT = 1.35  # of the font size: the room that one label takes


@styled
def label_ends(axes: Axes, ends: Mapping[str, tuple[float, float]], colors: Mapping[str, str]) -> None:
    """Write each name to the right of the panel, beside the point where its line ends, joined to it by a thin line.

    Call it when the panel's limits are final.

    Args:
        ends: name -> (x, y) in the panel's data coordinates.
        colors: name -> colour of the label and of the thin line.
    """
    names = list(ends)
    if not names:
        return
    texts = [
        axes.text(1.04, 0.5, readable(name), color=colors[name], transform=axes.transAxes, va="center", ha="left")
        for name in names
    ]
    # The labels take their room first: only then is the height of the panel known.
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    points = axes.transAxes.inverted().transform(axes.transData.transform([ends[name] for name in names]))
    height = axes.get_window_extent().height / axes.figure.dpi * 72
    places = spread(points[:, 1], LINE_HEIGHT * texts[0].get_fontsize() / height)
    for name, text, (x, y), place in zip(names, texts, points, places, strict=True):
        text.set_y(place)
        thread = Line2D(
            [x, 1.0, 1.03], [y, y, place], color=colors[name], linewidth=0.8, alpha=0.7, clip_on=False,
            transform=axes.transAxes,
        )  # fmt: skip
        thread.set_in_layout(False)
        axes.add_artist(thread)


def readable(name: str) -> str:
    """A name as words."""
    return name.replace("_", " ")


def spread(wanted: Sequence[float] | Float[np.ndarray, " n"], gap: float) -> Float[np.ndarray, " n"]:
    """The places nearest to those wanted (in the sum of squares) that lie at least `gap` apart, within [0, 1].

    Subtracting `gap` times the rank turns "at least a gap apart" into "not decreasing", so this is isotonic
    regression, solved by pooling neighbours that are out of order. If they do not all fit, they are centred.
    """
    wanted = np.clip(np.asarray(wanted, float), 0.0, 1.0)
    order = np.argsort(wanted, kind="stable")
    ranks = np.arange(wanted.size)
    room = max(1.0 - gap * (wanted.size - 1), 0.0)
    start = min(0.0, (1.0 - gap * (wanted.size - 1)) / 2)
    places = np.empty_like(wanted)
    places[order] = np.clip(_isotonic(wanted[order] - gap * ranks), start, start + room) + gap * ranks
    return places


def _isotonic(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    pools: list[list[float]] = []
    for value in values:
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    return np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools])
