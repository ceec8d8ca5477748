"""What a library adds to a loss and we do not: functions of the target, for `ours = factor * theirs + constant`."""

import math
from collections.abc import Callable
from typing import Any

from mpmath import loggamma, mp, mpf

from ._version import Settings


Constant = Callable[[Any, Settings], mpf]


def times_log(y: mpf, x: mpf) -> mpf:
    """y log x, 0 for y = 0."""
    return y * mp.log(x) if y != 0 else mpf(0)


# What `full=True` adds to our half-deviance.
FULL: dict[str, Constant] = {
    "poisson": lambda y, given: times_log(y, y) - y,
    "gamma": lambda y, given: -mp.log(y) - 1,
    "inverse_gaussian": lambda y, given: 1 / (2 * y),
    "negative_binomial": lambda y, given: (
        times_log(y, y) - (y + 1 / mpf(given["dispersion"])) * mp.log(1 + mpf(given["dispersion"]) * y)
    ),
    "gaussian_nll": lambda y, given: mp.log(2 * mp.pi) / 2,
    "laplace_nll": lambda y, given: mp.log(2),
    "logistic_nll": lambda y, given: mp.log(4),
    "student_t_nll": lambda y, given: (
        mp.log(mp.pi * given["df"]) / 2 + loggamma(mpf(given["df"]) / 2) - loggamma((mpf(given["df"]) + 1) / 2)
    ),
}


def density(loss: str) -> Constant:
    """Theirs is minus the logarithm of a density; ours is our default."""
    beyond = DENSITY.get(loss, _nothing)
    return lambda y, given: -FULL[loss](mpf(y), given) - beyond(mpf(y), given)


def proper(given: Settings) -> bool:
    """Whether theirs, the density of a law with finitely many degrees of freedom, is ours by default."""
    return not given["full"] and math.isfinite(given.get("df", 1.0))


def _nothing(y: mpf, given: Settings) -> mpf:
    return mpf(0)


def _poisson_density(y: mpf, given: Settings) -> mpf:
    return loggamma(y + 1) - times_log(y, y) + y


def _inverse_gaussian_density(y: mpf, given: Settings) -> mpf:
    return mp.log(2 * mp.pi * y**3) / 2


def _negative_binomial_density(y: mpf, given: Settings) -> mpf:
    a = mpf(given["dispersion"])
    gammas = loggamma(y + 1 / a) - loggamma(1 / a) - loggamma(y + 1)
    return -y * mp.log(a) - gammas - FULL["negative_binomial"](y, given)


# What minus a log density holds beyond half the deviance.
DENSITY: dict[str, Constant] = {
    "poisson": _poisson_density,
    "gamma": lambda y, given: mp.log(y) + 1,
    "inverse_gaussian": _inverse_gaussian_density,
    "negative_binomial": _negative_binomial_density,
}


def tweedie(y: Any, given: Settings) -> mpf:
    """scikit-learn's half deviance leaves out other terms than ours, which is 0 at a mean of 1."""
    y, p = mpf(y), mpf(given["power"])
    at_one = {0: (1 - y) ** 2 / 2, 1: mpf(1), 2: y}
    return -at_one[int(p)] if p in at_one else y / (1 - p) - 1 / (2 - p)
