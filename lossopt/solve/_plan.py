"""How a table is to be solved, as far as that is known before anything is compiled."""

import functools
import sys
from typing import Any, NamedTuple

from .. import losses, models
from ..data import Dataset, Stored, traced
from . import aggregation
from ._cleaned import in_blocks
from ._lbfgs_first import SHORT
from ._method import choose_method, lbfgs_first


# The rows a column from which on least squares of a large table need no orthogonal factorisation, but for dependent
# columns.
_LONG = 10
# Newton's method, which of a large table only suspects that there is no finite minimiser: a proof is a fifth of what is
# compiled, and for most tables of none.
UNPROVED = "newton, unproved"
# The coefficients up to which a Hessian is had where nothing else will do.
_HUGE = 2000


class Plan(NamedTuple):
    """How a table is to be solved.

    Attributes:
        method, table: what `_solve` is given at first.
        surely: the method where that is misled, which proves all that it claims.
        then: the method that begins anew where the first falls short; None if none does.
        patience: the iterations after which the first has fallen short.
        whole: the method for all of the table at once, should that be needed.
        absolute: there may be a penalty on absolute weights.
        smooth: the method is one for smooth losses, and sees their traits.
        part: it becomes part of a larger programme, in which nothing can be tried again.
        stored: the features stay where they are stored.
    """

    method: str
    table: str | None
    surely: str
    then: str | None
    patience: int
    whole: str
    absolute: bool
    smooth: bool
    part: bool
    stored: bool

    @property
    def differentiable(self) -> bool:
        """The minimum is one of a smooth loss, so that its coefficients have derivatives."""
        return self.method == "least_squares" or (self.smooth and self.method != "rounding")


def plan_of(loss: losses.Loss, data: Dataset, model: models.Model, l1: Any, named: str | None, part: bool) -> Plan:
    """The plan for a data set; `part` as in `Plan`, `named` is the method that the caller named."""
    (rows, columns), scores = data.features.shape, model.classes or 1
    absolute, stored = traced(l1) or bool(l1 != 0), isinstance(data.features, Stored)
    # A larger programme is mostly a sweep.
    by_gradients = named is None and lbfgs_first(loss, columns, scores)
    large = in_blocks(data.features, often=part and not by_gradients)
    choose = functools.partial(choose_method, loss, named, columns * scores, absolute=absolute)
    # Of what is part of a larger programme nobody sees in time that columns depend on each other.
    method = choose(in_blocks=stored or (large and not part and rows >= _LONG * columns))
    whole = part or absolute
    long = method == "interior_point" and not whole and aggregation.worth_while(loss, rows, columns)
    first = method == "newton" and by_gradients and not (stored or large)
    # L-BFGS alone sees that a minimum is doubtful, and Newton's method whether there is none.
    second = first or (method == "lbfgs" and named is None and columns * scores <= _HUGE)
    smooth = method in ("newton", "lbfgs", "proximal_newton", "rounding")
    table = None if part else "quick"
    if (smooth or long) and large:
        table = "sample" if smooth and not part else "blocks"
    if first:
        method = "lbfgs, newton" if part else "lbfgs"
    surely = "aggregation" if long else method
    return Plan(
        method=UNPROVED if table == "sample" and method == "newton" else surely,
        table=table,
        surely=surely,
        then="newton" if second and not part else None,
        patience=SHORT if first else sys.maxsize,
        whole=choose(),
        absolute=absolute,
        smooth=smooth,
        part=part,
        stored=stored and (smooth or long),
    )
