"""How a table is to be solved, as far as that is known before anything is compiled."""

import functools
import sys
from collections.abc import Hashable
from typing import Any, NamedTuple

import jax

from .. import losses, models
from ..data import Stored
from . import aggregation
from ._cleaned import in_blocks
from ._lbfgs_first import SHORT
from ._method import choose_method, lbfgs_first
from ._piecewise import kind_of
from ._traits import forgiving, rising_kinks, traits


# The rows a column from which on least squares of a large table need no orthogonal factorisation, but for dependent
# columns.
_LONG = 10
# Methods that of a large table only suspect that there is no finite minimiser: a proof is a fifth to a half of what is
# compiled, and for most tables of none. Without a penalty, L-BFGS would suspect it too often.
UNPROVED = {name: f"{name}, unproved" for name in ("newton", "proximal_newton", "lbfgs")}
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


def plan_of(
    loss: losses.Loss,
    features: Any,
    model: models.Model,
    named: str | None,
    *,
    absolute: bool,
    part: bool,
    held: bool = False,
) -> Plan:
    """The plan for a table; `absolute` and `part` as in `Plan`, `named` is the method that the caller named.

    `held`: there is surely a penalty on squared weights.
    """
    (rows, columns), scores = features.shape, model.classes or 1
    stored = isinstance(features, Stored)
    # A larger programme is mostly a sweep.
    by_gradients = named is None and lbfgs_first(loss, columns, scores)
    large = in_blocks(features, often=part and not by_gradients)
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
        method=UNPROVED.get(surely, surely) if table == "sample" and (held or surely != "lbfgs") else surely,
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


def treatment(
    loss: losses.Loss, table: tuple[int, int], model: models.Model, named: str | None, *, absolute: bool
) -> Hashable:
    """All that `solve`, as part of a larger programme, looks at in a loss; None if nothing is known or to be done.

    Losses that are treated alike may be one loss that chooses among them by a number.
    """
    if not losses.has_card(loss):
        return None
    try:
        plan = plan_of(loss, jax.ShapeDtypeStruct(table, float), model, named, absolute=absolute, part=True)
    except ValueError:
        return None
    card = losses.claims(loss)
    looked_at = card.task, card.prediction, card.target, losses.constant_curvature(loss), forgiving(loss)
    return plan, traits(loss), kind_of(loss) and rising_kinks(loss), looked_at
