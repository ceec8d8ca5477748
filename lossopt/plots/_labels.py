"""Names written at the ends of lines, moved apart where they would overlap. No legend to look up."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ._panels import styled


LINE_HEIGHT = 1.35  # of the font size: the room that one label takes


@styled
def label_ends(ends: Mapping[Axes, Mapping[str, tuple[float, float]]], colors: Mapping[str, str]) -> None:
    """Write each name to the right of its panel, beside the point where its line ends, joined to it by a thin line.

    Call it once for a figure, when the limits of its panels are final.

    Args:
        ends: panel -> name -> (x, y) in the panel's data coordinates.
        colors: name -> colour of the label and of the thin line.
    """
    texts = {
        axes: [
            axes.text(1.04, 0.5, readable(name), color=colors[name], transform=axes.transAxes, va="center")
            for name in named
        ]
        for axes, named in ends.items()
        if named
    }
    for axes in texts:
        # The labels take their room first: only then are the heights of the panels known.
        axes.figure.draw_without_rendering()  # type: ignore[union-attr]
        break
    for axes, labels in texts.items():
        _place(axes, labels, list(ends[axes].values()))


def _place(axes: Axes, labels: list[Text], ends: list[tuple[float, float]]) -> None:
    points = axes.transAxes.inverted().transform(axes.transData.transform(ends))
    height = axes.get_window_extent().height / axes.figure.dpi * 72
    places = spread(points[:, 1], LINE_HEIGHT * float(labels[0].get_fontsize()) / height)
    for label, (x, y), place in zip(labels, points, places, strict=True):
        label.set_y(place)
        thread = Line2D(
            [x, 1.0, 1.03],
            [y, y, place],
            color=label.get_color(),
            linewidth=0.8,
            alpha=0.7,
            clip_on=False,
            transform=axes.transAxes,
        )
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
    places = np.clip(np.asarray(wanted, float), 0.0, 1.0)
    order, offsets = np.argsort(places, kind="stable"), gap * np.arange(places.size)
    room = 1.0 - gap * (places.size - 1)
    low, high = (0.0, room) if room >= 0 else (room / 2, room / 2)
    places[order] = np.clip(_isotonic(places[order] - offsets), low, high) + offsets
    return places


def _isotonic(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    pools: list[list[float]] = []
    for value in values:
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]):
            last = pools.pop()
            pools[-1] += last
    return np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools])
