"""How far a version of a loss is from the truth on the extreme grid, and what it does with what is not legal."""

import functools
import math
import warnings
from typing import Any, NamedTuple

from mpmath import mpf

from benchmarks.truth import (
    between_the_sides,
    Case,
    CASES,
    compared,
    Error,
    exact,
    floor,
    grid,
    RTOL,
    settings,
    Truth,
)

from ._version import Settings, Version


class Worst(NamedTuple):
    """The worst of many errors of one order, and where.

    NaN where the mathematics is finite is an infinite error and counted; so is, under `wrong`, any other infinite
    error: an infinity for a number, a number for an infinity, and anything but 0 for 0.
    """

    error: float = 0.0
    nan: int = 0
    wrong: int = 0
    points: int = 0
    at: str = ""

    def or_worse(self, error: Error, case: Case) -> "Worst":
        """With one more error."""
        nan = math.isnan(error.found) and math.isfinite(error.expected)
        wrong = error.excess == math.inf and not nan
        worse = error.excess > self.error
        return Worst(
            error.excess if worse else self.error,
            self.nan + nan,
            self.wrong + wrong,
            self.points + 1,
            _place(error, case) if worse else self.at,
        )

    def with_all_of(self, other: "Worst") -> "Worst":
        """Both together."""
        first, second = (self, other) if self.error >= other.error else (other, self)
        return Worst(
            first.error,
            self.nan + other.nan,
            self.wrong + other.wrong,
            self.points + other.points,
            first.at or second.at,
        )


Errors = dict[str, Worst]


def _place(error: Error, case: Case) -> str:
    given = ", ".join(f"{key}={value}" for key, value in case.hyperparameters.items())
    at = f"prediction {_short(error.prediction)}, target {_short(error.target)}" + (f", {given}" if given else "")
    return f"{at}: {error.found:.8g} and not {error.expected:.8g}"


def _short(number: Any) -> str:
    return f"[{', '.join(map(_short, number))}]" if isinstance(number, list) else f"{number:.9g}"


def cases(version: Version, dtype: Any) -> list[Case]:
    """The settings of the table of cases that a version has."""
    return [case for case in CASES if case.name == version.loss and version.takes(settings(case, dtype))]


@functools.cache
def _errors(version: Version, name: str, dtype: Any) -> Errors:
    """The worst error of each order that the version computes, over the grid at one setting."""
    case = next(case for case in CASES if str(case) == name)
    given, where = settings(case, dtype), grid(case, dtype)
    keep = [i for i, (p, y) in enumerate(zip(*where, strict=True)) if _defined(version, case, p, y)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = version.orders(given, *(part[keep] for part in where))
    factor, truths = mpf(version.scale(given)), exact(case, dtype)
    theirs = [_in_their_convention(truths[i], version, factor, given) for i in keep]
    worst: Errors = {}
    for error in compared(found, theirs, floor(case, dtype), dtype):
        before = worst.get(error.order, Worst())
        counts = error.excess > max(before.error, RTOL[dtype]) or error.excess == math.inf
        derivative = error.order != "value" and not math.isnan(error.found)
        if counts and derivative and between_the_sides(error, factor * mpf(error.found), case, dtype):
            error = error._replace(excess=0.0)
        worst[error.order] = before.or_worse(error, case)
    return worst


def _defined(version: Version, case: Case, prediction: Any, target: Any) -> bool:
    """Whether the loss is defined at a point, and the version means to take it."""
    if case.card.target == "direction" and not prediction.any():
        return False  # it has no direction, and what is then returned is a convention
    return not version.hard or target in (0, 1)


def _in_their_convention(truth: Truth, version: Version, factor: mpf, given: Settings) -> Truth:
    constant = version.constant(truth.target, given)
    scaled = lambda orders: [[entry / factor for entry in order] for order in orders]  # noqa: E731
    values, *others = truth.exact.orders
    exact = truth.exact._replace(
        orders=scaled([[value - constant for value in values], *others]),
        sensitivity=lambda: scaled(truth.exact.sensitivity()),
    )
    return truth._replace(exact=exact)


def measured(version: Version, dtype: Any, settings_of: Version | None = None) -> Errors:
    """The worst error of each order over all settings that the version has, or those that another one has."""
    total: Errors = {}
    for case in cases(settings_of or version, dtype):
        for order, worst in _errors(version, str(case), dtype).items():
            total[order] = total[order].with_all_of(worst) if order in total else worst
    return total
