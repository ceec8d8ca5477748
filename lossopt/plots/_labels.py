"""Names written at the ends of lines, moved apart where they would overlap. No legend to look up."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text

from ._panels import readable, styled


DOTS = (0, (1.5, 5))
LINE_HEIGHT = 1.35  # of the font size: the room that one label takes


@styled
def label_ends(ends: Mapping[Axes, Mapping[str, tuple[float, float]]], colors: Mapping[str, str]) -> None:
    """Write each name to the right of its panel, beside the point where its line ends, joined to it by dots.

    Call it once for a figure, when the limits of its panels are final. Names take at most half of a panel's width; a
    figure whose panels are lower than their names is made higher.

    Args:
        ends: panel -> name -> (x, y) in the panel's data coordinates.
        colors: name -> colour of the label and of the thin line.
    """
    texts = {
        axes: [
            axes.text(
                1.04, 0.5, readable(name, _width(axes) / 2), color=colors[name], transform=axes.transAxes, va="center"
            )
            for name in named
        ]
        for axes, named in ends.items()
        if named
    }
    if texts:
        _make_room(texts)
    for axes, labels in texts.items():
        _place(axes, labels, list(ends[axes].values()))


def _width(axes: Axes) -> float:
    """Inches of the figure for each of its columns of panels."""
    place = axes.get_subplotspec()
    return axes.figure.bbox.width / axes.figure.dpi / (place.get_gridspec().ncols if place else 1)


def _make_room(texts: Mapping[Axes, list[Text]]) -> None:
    figure: Any = next(iter(texts)).figure
    # The labels take their room first: only then are the heights of the panels known.
    figure.draw_without_rendering()
    taken = max(_line(axes, labels) * sum(_lines(labels)) for axes, labels in texts.items())
    if taken > 1:
        figure.set_figheight(taken * figure.get_figheight())
        figure.draw_without_rendering()


def _line(axes: Axes, labels: list[Text]) -> float:
    """The share of a panel's height that one line of its labels takes."""
    height = axes.get_window_extent().height / axes.figure.dpi * 72
    return LINE_HEIGHT * float(labels[0].get_fontsize()) / height


def _lines(labels: list[Text]) -> list[int]:
    return [1 + label.get_text().count("\n") for label in labels]


def _place(axes: Axes, labels: list[Text], ends: list[tuple[float, float]]) -> None:
    points = axes.transAxes.inverted().transform(axes.transData.transform(ends))
    places = spread(points[:, 1], _line(axes, labels), _lines(labels))
    for label, (x, y), place in zip(labels, points, places, strict=True):
        label.set_y(place)
        # Within the panel it is dots, or it would look as though the line went on level from where it ends.
        pieces: Any = (([x, 1.0], [y, y], DOTS), ([1.0, 1.03], [y, place], "solid"))
        for xs, ys, dash in pieces:
            thread = Line2D(
                xs, ys, color=label.get_color(), linestyle=dash, linewidth=0.8, alpha=0.7, clip_on=False,
                transform=axes.transAxes,
            )  # fmt: skip
            thread.set_in_layout(False)
            axes.add_artist(thread)


def spread(
    wanted: Sequence[float] | Float[np.ndarray, " n"], gap: float, lines: int | Sequence[int] = 1
) -> Float[np.ndarray, " n"]:
    """The places nearest to those wanted (in the sum of squares) that lie at least `gap` apart, within [0, 1].

    Of a label of several lines this is the middle, and it takes a gap a line. Subtracting the gaps before each turns
    "at least a gap apart" into "not decreasing", so this is isotonic regression, solved by pooling neighbours that are
    out of order. If they do not all fit, they are centred.
    """
    places = np.clip(np.asarray(wanted, float), 0.0, 1.0)
    order = np.argsort(places, kind="stable")
    halves = gap * np.broadcast_to(lines, places.shape)[order] / 2
    offsets = np.concatenate([[0.0], np.cumsum(halves[1:] + halves[:-1])])
    low, high = halves[0] - gap / 2, 1.0 - offsets[-1] - halves[-1] + gap / 2
    low, high = (low, high) if low <= high else ((low + high) / 2,) * 2
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
