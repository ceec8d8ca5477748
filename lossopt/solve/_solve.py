"""`solve`: the exact minimum of what `fit` minimises. Checks and choice of a method are here, the methods beside."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import border, losses, models
from ..compiling import among_processes, staged
from ..data import Dataset, Stored, traced
from ..mesh import automatic
from ..status import Status
from ._cleaned import where_it_stays, working_dtype
from ._implicit import following, Given, held, How, no_derivative
from ._lbfgs_first import FELL_SHORT
from ._lone import doubted, hides, some, without
from ._measured import seems_convex
from ._outcome import Solution
from ._plan import Plan, plan_of, UNPROVED
from ._programme import Penalty, programme
from ._traits import Traits, traits


# So many steps, which few need, that another way may be tried where the first has failed. To that may lead columns that
# are much larger outside the sample that their sizes are taken from, and nearly dependent ones.
_MANY = 100
_MISLED = (Status.STALLED, Status.DIVERGED, Status.OUT_OF_STEPS)


@automatic
def solve(
    loss: losses.Loss,
    data: Dataset,
    *,
    model: models.Model = models.linear,
    l1: losses.Scalar = 0.0,
    l2: losses.Scalar = 0.0,
    init: models.Params | None = None,
    method: str | None = None,
    tolerance: losses.Scalar | None = None,
    max_iterations: int = 200,
    dtype: Any = None,
    throw: bool = False,
) -> Solution:
    """Minimise `Σ w loss / Σ w + l1 Σ |weights| + l2/2 Σ weights**2` exactly (the bias is not penalised).

    Least squares are solved by orthogonal factorisation, other smooth losses by safeguarded Newton steps or, where the
    Hessian would be large (many columns times classes), by L-BFGS, which goes first where there are several scores;
    piecewise-linear ones (absolute error, quantiles, intervals, dead zones, hinges of two or several classes; most sums
    and multiples of them) by an interior-point method; those with a kink beside which they are not straight (absolute
    and squared error together, hinge and logistic, Laplace's law with a scale) by Newton steps while the kinks are
    rounded off less and less; with `l1`, which ends with weights that are exactly 0, smooth convex losses by proximal
    Newton steps. A loss that is not convex gives the local minimum that descent from the least-squares fit (for a
    classifier: from zero), or from `init`, reaches; the ramp that which the concave-convex procedure reaches from the
    hinge's minimum, or from `init`. Of several minima that have the same scores the one with the smallest weights is
    given; that there are others is said of smooth losses unless the table is large. May be jitted, and vmapped over
    data sets, `l2`, `init` and bound hyperparameters; a sweep over a hyperparameter compiles once. Under a smooth loss
    `params` and `cost` have derivatives, of any order and in either mode, in the data, penalties and hyperparameters of
    a table that is in memory: those of the implicit function theorem, NaN where there is no minimum, and in features
    that leave some weight open. A large table is gone through in blocks of rows, without a copy of it; least squares
    are then found by Newton's method. Features that are `data.Stored`, or a large memory-mapped array, are read by the
    block. Piecewise-linear losses of a long table see only the rows that matter to them, and need the whole of one that
    is not, or of which too many rows lie on a kink.

    Args:
        loss: a loss of one example, registered or, with `method="newton"`, your own smooth one, of which it is measured
            whether it seems convex.
        data: features (n, d), targets (n,), optional weights (n,).
        model: what maps features to a score.
        l1, l2: strength of the penalties on the weights, at least 0; both together are the elastic net.
        init: coefficients to start from; interior points and least squares do not look at them.
        method: "least_squares", "newton", "lbfgs", "interior_point", "concave_convex", "proximal_newton" or "rounding";
            None chooses by the loss.
        tolerance: the largest gradient relative to the sum of its terms' sizes (Newton), or duality gap relative to
            the cost (interior point); None is eps**(2/3), which is 4e-11 in float64.
        max_iterations: the most iterations made; in each round of the concave-convex procedure.
        dtype: the precision to compute in; None is that of the features. float64 for float32 features sums and solves
            in float64, and converts a large table only by the block.
        throw: raise RuntimeError with the status's advice unless the status is good.

    Raises:
        ValueError, TypeError: bad input, in one sentence, before anything is compiled.
        OSError: a stored table cannot be read.
        RuntimeError: another process, which has some of the rows, was lost.
    """
    given = Given(loss, where_it_stays(data), l1, l2)
    (loss, data, l1, l2), init, tolerance = given.held(), held(init), held(tolerance)
    data = border.checked(loss, data, model, stored=True)
    border.check_penalties(l1=l1, l2=l2)
    part = staged() or traced(data, loss, l1, l2, init, tolerance)
    absolute, held_back = traced(l1) or bool(l1 != 0), not traced(l2) and bool(np.asarray(l2) > 0)
    plan = plan_of(loss, data.features, model, method, absolute=absolute, part=part, held=held_back)
    data = _placed(data, plan)
    init = None if init is None else border.check_init(init, data, model)
    max_iterations = min(border.whole("max_iterations", max_iterations), np.iinfo(np.int32).max)
    dtype = working_dtype(dtype, data.features.dtype)
    tolerance = _checked_tolerance(tolerance, dtype)
    penalty = Penalty(_number(l1, dtype) if plan.absolute else None, _number(l2, dtype))
    facts = _facts(loss, data, model) if plan.smooth else None
    compiled = programme(plan, data.features.shape)
    once = functools.partial(compiled, losses.as_pytree(loss), penalty=penalty, model=model, facts=facts)
    run = functools.partial(_in_turn, once, plan, init, tolerance, max_iterations)
    with among_processes("Start all processes again."), _reading(data.features, plan):
        solution, out = _trusted(run, data, plan, patient=max_iterations >= _MANY)
    settings = {"init": init, "method": method, "dtype": dtype, "max_iterations": max_iterations}
    again = functools.partial(solve, tolerance=tolerance, **settings)
    solution = _unhidden(solution, out, Given(loss, data, l1, l2), model, tolerance, again, part=part)
    if throw:
        solution.status.raise_if_bad()
    if not traced(given):
        return solution
    return following(solution, given.arrays(data, dtype), How(model, plan.absolute, no_derivative(loss, data, plan)))


def _placed(data: Dataset, plan: Plan) -> Dataset:
    """The data with stored features where the plan wants them."""
    if not isinstance(data.features, Stored):
        return data
    if not plan.stored:
        return _in_memory(data)
    if plan.part:
        data.features.hold()
    return data


def _reading(features: Any, plan: Plan) -> contextlib.AbstractContextManager[None]:
    """Around a programme that may read a table from disk."""
    return features.watched() if plan.stored and not plan.part else contextlib.nullcontext()


def _facts(loss: losses.Loss, data: Dataset, model: models.Model) -> Traits:
    """What a method for smooth losses is told; whether one without a card seems convex is measured."""
    found = traits(loss)
    if losses.has_card(loss):
        return found
    border.check_output(loss, data, model)
    return found._replace(convex=seems_convex(loss, data.targets, model.classes))


def _trusted(run: Callable[..., Any], data: Dataset, plan: Plan, *, patient: bool) -> tuple[Solution, Any]:
    """The solution as planned or, where that may be misled, by all blocks, and then of the whole table at once.

    Also what is known of examples that fix a coefficient by themselves.
    """
    attempt = functools.partial(run, data=data, method=plan.surely)
    first = plan.method if patient else plan.surely
    solution, suspect, out = run(data=data, method=first, table=plan.table, final=plan.part)
    if plan.table == "sample" and patient and not bool(suspect) and _misled(solution, first):
        solution, suspect, out = attempt(table="blocks", final=False)
        suspect = suspect | (not plan.stored and _misled(solution, plan.surely))
    if not plan.part and bool(suspect):
        if plan.stored and plan.smooth:
            solution, _, out = attempt(table="blocks", final=True)
        else:
            whole = _in_memory(data) if plan.stored else data
            solution, _, out = run(data=whole, method=plan.whole, table="careful", final=True)
    if plan.stored:
        # A table is read for as long as somebody holds it, which after this may be nobody.
        jax.block_until_ready(solution)
    return solution, out


def _unhidden(
    solution: Solution,
    out: Any,
    given: Given,
    model: models.Model,
    tolerance: Any,
    again: Callable[..., Solution],
    *,
    part: bool,
) -> Solution:
    """The solution, where an example that fixes a coefficient hides others: without it, or doubted."""
    loss, data, l1, l2 = given
    if out is None:
        return solution
    if part:
        return doubted(solution, hides(out, data))
    if not (some(out) and bool(hides(out, data))):
        return solution
    return without(solution, out, data, loss, model, (l1, l2), tolerance, again)


def _in_turn(
    once: Callable[..., Any], plan: Plan, init: Any, tolerance: losses.Scalar, steps: int, *, method: str, **rest: Any
):
    """What `_solve` hands back, with the plan's second method where the first falls short."""
    second = plan.then if method in (plan.method, plan.surely) else None
    at_first = steps if second is None else min(steps, plan.patience)
    solution, suspect, out = once(method=method, init=init, controls=(tolerance, np.asarray(at_first)), **rest)
    if second is None or bool(suspect):
        return solution, suspect, out
    left = steps - int(solution.iterations)
    # What an example that is far out fixes by itself takes L-BFGS for ever.
    far = out is not None and some(out)
    if left == 0 or not (far or int(solution.status.code) in FELL_SHORT):
        return solution, suspect, out
    again, suspect, out = once(method=second, init=init, controls=(tolerance, np.asarray(left)), **rest)
    return again._replace(iterations=solution.iterations + again.iterations), suspect, out


def _misled(solution: Solution, method: str) -> bool:
    """Whether a method has failed, or claims what it has not proved."""
    code = int(solution.status.code)
    return code in _MISLED or (method in UNPROVED.values() and code == Status.NO_FINITE_MINIMISER)


def _in_memory(data: Dataset) -> Dataset:
    stored: Any = data.features
    return data._replace(features=jnp.asarray(stored.whole()))


def _number(value: Any, dtype: Any) -> Any:
    """For a programme, which NumPy's serve as well as JAX's, in a tenth of the time that it takes to make one."""
    return jnp.asarray(value, dtype) if isinstance(value, jax.Array) else np.asarray(value, dtype)


def _checked_tolerance(tolerance: Any, dtype: Any) -> Any:
    if tolerance is None:
        return _number(float(jnp.finfo(dtype).eps) ** (2 / 3), dtype)
    if not traced(tolerance) and not (np.ndim(tolerance) == 0 and 0 < tolerance < 1):
        raise ValueError(f"tolerance={tolerance}: give a number between 0 and 1, or None.")
    return _number(tolerance, dtype)
