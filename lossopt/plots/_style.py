"""One look: Okabe–Ito colours, and for each name a colour, a dash and a marker that it has in every figure."""

import itertools
import re
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from matplotlib.colors import to_hex, to_rgb


OKABE_ITO: Mapping[str, str] = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "grey": "#7F7F7F",
}
# The palette's yellow is left out: on white its contrast is 1.3 to 1.

DASHES: Mapping[str, Any] = {
    "solid": "solid",
    "dashed": (0, (6, 2)),
    "dotted": (0, (1.5, 1.8)),
    "dashdot": (0, (7, 2, 1.5, 2)),
    "long": (0, (11, 3)),
}
MARKERS = "osD^vPX*"
TONES = (-0.45, 0.4, -0.25, 0.2)  # shares of black (below 0) or white mixed into a colour

RC: Any = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so a figure is the same on every machine
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.8,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 12,
    "legend.frameon": False,
    "lines.linewidth": 2.2,
    "lines.markersize": 7,
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "svg.fonttype": "path",
    "svg.hashsalt": "lossopt",
}


class Style(NamedTuple):
    """How one name is drawn: keywords for `Axes.plot`, but for the marker, which a line has only where asked."""

    color: str
    linestyle: Any
    marker: str

    @property
    def pair(self) -> tuple[str, Any]:
        """What tells a line without markers from others."""
        return self.color, self.linestyle

    @property
    def line(self) -> dict[str, Any]:
        """The keywords of a line without markers."""
        return {"color": self.color, "linestyle": self.linestyle}


def _style(color: str, dash: str, marker: str) -> Style:
    return Style(OKABE_ITO[color], DASHES[dash], marker)


# Fixed by hand for what is drawn most, so that those seen together differ in colour, dash and marker at once.
FIXED: Mapping[str, Style] = {
    "squared_error": _style("vermillion", "solid", "o"),
    "half_squared_error": _style("vermillion", "dashed", "o"),
    "absolute_error": _style("blue", "dashed", "s"),
    "huber": _style("green", "dashdot", "D"),
    "pseudo_huber": _style("sky", "long", "v"),
    "log_cosh": _style("orange", "dotted", "P"),
    "quantile": _style("blue", "dotted", "X"),
    "expectile": _style("vermillion", "dotted", "*"),
    "cauchy": _style("purple", "long", "v"),
    "tukey": _style("black", "dotted", "^"),
    "general_robust": _style("grey", "solid", "X"),
    "logistic": _style("blue", "solid", "o"),
    "binary_cross_entropy": _style("sky", "dashed", "s"),
    "hinge": _style("vermillion", "dashed", "D"),
    "squared_hinge": _style("orange", "dashdot", "P"),
    "focal": _style("green", "dotted", "^"),
    "softmax_cross_entropy": _style("blue", "solid", "o"),
    "gradient descent": _style("blue", "solid", "o"),
    "momentum": _style("orange", "dashed", "s"),
    "adam": _style("green", "dashdot", "D"),
    "l-bfgs": _style("purple", "dotted", "^"),
    "newton": _style("black", "long", "v"),
    "exact": _style("black", "solid", "*"),
    "theory": _style("grey", "dashed", "X"),
}


def style(name: str) -> Style:
    """How `name` is drawn whatever the figure: a loss by its own name, hyperparameters after it left aside."""
    return FIXED.get(base_name(name)) or _hashed(name, 0)


def styles(*panels: Iterable[str]) -> dict[str, Style]:
    """How the names of these panels are drawn in one figure: as `style` has it, but no two lines alike.

    Lines differ whatever their markers, and within a panel in colour, while one is free. Several settings of one loss
    ("huber, delta=1", "huber, delta=2") have tones of its colour, and other dashes.
    """
    groups = [list(panel) for panel in panels]
    heads = _heads([[base_name(name) for name in group] for group in groups])
    chosen: dict[str, Style] = {}
    for name in dict.fromkeys(itertools.chain(*groups)):
        head = heads[base_name(name)]
        taken = {look.pair for look in chosen.values()}
        others = taken | {look.pair for look in heads.values()}
        free = (look for look in _candidates(name, head) if look.pair not in others)
        chosen[name] = next(free, head) if head.pair in taken else head  # hundreds of names: there are no more looks
    return chosen


def _heads(groups: list[list[str]]) -> dict[str, Style]:
    """The first look of each loss, whatever its settings; `groups` are those seen together."""
    names = list(dict.fromkeys(itertools.chain(*groups)))
    beside = {name: set(itertools.chain(*(group for group in groups if name in group))) for name in names}
    chosen: dict[str, Style] = {}
    # Known names choose first: what a stranger is drawn like must not depend on the company, nor theirs on a stranger.
    # Of each, those come last whose colour another has.
    known, strange = [name for name in FIXED if name in beside], [name for name in names if name not in FIXED]
    for name, moving in [(name, moving) for some in (known, strange) for moving in (False, True) for name in some]:
        if name in chosen:
            continue
        near = {chosen[other].color for other in beside[name] if other in chosen}
        taken = {look.pair for look in chosen.values()}
        looks = [look for look in _places(name, moving) if look.color not in near and look.pair not in taken]
        if moving:
            looks += [look for look in _candidates(name, style(name)) if look.pair not in taken]
        if looks or moving:
            chosen[name] = looks[0] if looks else style(name)
    return chosen


def _places(name: str, moving: bool) -> Iterable[Style]:
    """The look of a name; or those in other colours, the unlike ones first."""
    own, colors = style(name), list(OKABE_ITO.values())
    if not moving:
        return [own]
    turn = colors.index(own.color)
    return [
        Style(colors[(turn + 5 * step) % len(colors)], dash, own.marker)
        for dash in (own.linestyle, *DASHES.values())
        for step in range(1, len(colors))
    ]


def base_name(name: str) -> str:
    """The known name before a comma, a colon or a parenthesis, or `name` itself: "huber, delta=2" is "huber"."""
    plain = re.split("[,:(]", name.lower())[0].strip()
    return next((known for known in FIXED if plain.replace("_", " ") == known.replace("_", " ")), name)


def _candidates(name: str, first: Style) -> list[Style]:
    """What a name may be drawn like beside others of the first look: tones of it, then whatever there is."""
    dashes = list(DASHES.values())
    turn, place = dashes.index(first.linestyle), MARKERS.index(first.marker)
    toned = [
        Style(_toned(first.color, tone), dashes[(turn + step) % len(dashes)], MARKERS[(place + step) % len(MARKERS)])
        for step, tone in enumerate(TONES, 1)
    ]
    others = [_hashed(name, salt) for salt in range(1, len(OKABE_ITO) * len(DASHES))]
    mixed = [look._replace(color=_toned(look.color, tone)) for tone in TONES for look in (first, *others)]
    return [first, *toned, *others, *mixed]


def _toned(color: str, tone: float) -> str:
    """A colour mixed with white (tone > 0) or black; black itself, which gets no darker, always with white."""
    rgb = to_rgb(color)
    end = 1.0 if tone > 0 or sum(rgb) == 0 else 0.0
    red, green, blue = (channel + abs(tone) * (end - channel) for channel in rgb)
    return to_hex((red, green, blue))


def _hashed(name: str, salt: int) -> Style:
    # crc32, because Python's own hash of text differs from run to run.
    number = zlib.crc32(name.encode()) + salt
    colors, dashes = list(OKABE_ITO.values()), list(DASHES.values())
    return Style(colors[number % len(colors)], dashes[number // 8 % len(dashes)], MARKERS[number // 40 % len(MARKERS)])
