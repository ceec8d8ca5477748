"""`solve`: the exact minimum of what `fit` minimises. Checks and choice of a method are here, the methods beside."""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .. import border, losses, models
from ..compiling import among_processes, AT_ONCE, at_once, LEANER, SOONER, staged
from ..data import Dataset, Stored, traced
from ..mesh import automatic
from ..status import GOOD, Status
from ._algorithms import ALGORITHMS
from ._cleaned import cleaned, where_it_stays, working_dtype
from ._column_design import column_design
from ._design import blocked_design, design
from ._implicit import following, Given, held, How, no_derivative
from ._lbfgs_first import FELL_SHORT
from ._lone import doubted, hides, lone, may_be_far, without
from ._measured import seems_convex
from ._plan import Plan, plan_of, UNPROVED
from ._traits import choices, Traits, traits
from ._value import value_at


# Numbers in a table up to which compiling well takes longer than it saves, in some hundred solutions: half a second
# against a millisecond or two.
_SMALL = 2**14
# So many steps, which few need, that another way may be tried where the first has failed. To that may lead columns that
# are much larger outside the sample that their sizes are taken from, and nearly dependent ones.
_MANY = 100
# Which share of the cost, or of that of scores of 0, may be lost on the way from a basis to weights.
_MUCH = 1e-6
_MISLED = (Status.STALLED, Status.DIVERGED, Status.OUT_OF_STEPS)


class Solution(NamedTuple):
    """The minimum, and how near it is.

    Attributes:
        params: weights and bias.
        cost: the objective there.
        gap: how far the objective may be above its minimum: exact for least squares of a table that is not large, the
            duality gap for piecewise-linear losses, half the squared Newton decrement (an estimate) for smooth convex
            ones, of L-BFGS the same with the curvature along its last step, of a kink that is rounded off the same
            and all that this may add, inf where there is no certificate, or a smooth minimum was not
            reached.
        iterations: passes over the data (for least squares, of refinement).
        status: how it ended.
    """

    params: models.Params
    cost: Float[Array, ""]
    gap: Float[Array, ""]
    iterations: Int[Array, ""]
    status: Status


class _Penalty(NamedTuple):
    """The strengths of the penalties; l1 is None where there is none for sure."""

    l1: Float[Array, ""] | None
    l2: Float[Array, ""]


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
        max_iterations: the most iterations made.
        dtype: the precision to compute in; None is that of the features. float64 for float32 features sums and solves
            in float64, and converts a large table only by the block.
        throw: raise RuntimeError with the status's advice unless the status is good.

    Raises:
        ValueError, TypeError: bad input, in one sentence, before anything is compiled.
        RuntimeError: another process, which has some of the rows, was lost.
    """
    given = Given(loss, where_it_stays(data), l1, l2)
    (loss, data, l1, l2), init, tolerance = given.held(), held(init), held(tolerance)
    data = border.checked(loss, data, model, stored=True)
    border.check_penalties(l1=l1, l2=l2)
    part = staged() or traced(data, loss, l1, l2, init, tolerance)
    plan = plan_of(loss, data.features, model, method, absolute=traced(l1) or bool(l1 != 0), part=part)
    data = _placed(data, plan)
    init = None if init is None else border.check_init(init, data, model)
    _check_tolerance(tolerance)
    max_iterations = min(border.whole("max_iterations", max_iterations), np.iinfo(np.int32).max)
    dtype = working_dtype(dtype, data.features.dtype)
    tolerance = float(jnp.finfo(dtype).eps) ** (2 / 3) if tolerance is None else tolerance
    tolerance = _number(tolerance, dtype)
    penalty = _Penalty(_number(l1, dtype) if plan.absolute else None, _number(l2, dtype))
    facts = _facts(loss, data, model) if plan.smooth else None
    once = functools.partial(_programme(data, plan), losses.as_pytree(loss), penalty=penalty, model=model, facts=facts)
    run = functools.partial(_in_turn, once, plan, init, tolerance, max_iterations)
    with among_processes("Start all processes again."):
        solution, out = _trusted(run, data, plan, patient=max_iterations >= _MANY)
    if out is not None and part:
        solution = doubted(solution, hides(out, data))
    elif out is not None and bool(jnp.any(out)) and bool(hides(out, data)):
        settings = {"init": init, "method": method, "tolerance": tolerance, "dtype": dtype}
        again = functools.partial(solve, max_iterations=max_iterations, **settings)
        solution = without(solution, out, data, loss, model, (l1, l2), tolerance, again)
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


def _facts(loss: losses.Loss, data: Dataset, model: models.Model) -> Traits:
    """What a method for smooth losses is told; whether one without a card seems convex is measured."""
    found = traits(loss)
    if losses.has_card(loss):
        return found
    border.check_output(loss, data, model)
    return found._replace(convex=seems_convex(loss, data.targets, model.classes))


def _programme(data: Dataset, plan: Plan) -> Callable[..., Any]:
    """`_solve`, compiled as suits the data."""
    if plan.part:
        return _inside
    if at_once(math.prod(data.features.shape), _SMALL):
        return _of_small
    return _of_long if plan.method == "aggregation" else _alone


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


def _in_turn(
    once: Callable[..., Any], plan: Plan, init: Any, tolerance: losses.Scalar, steps: int, *, method: str, **rest: Any
):
    """What `_solve` hands back, with the plan's second method where the first falls short."""
    second = plan.then if method == plan.method else None
    at_first = steps if second is None else min(steps, plan.patience)
    solution, suspect, out = once(method=method, init=init, controls=(tolerance, np.asarray(at_first)), **rest)
    if second is None or bool(suspect):
        return solution, suspect, out
    left = steps - int(solution.iterations)
    # What an example that is far out fixes by itself takes L-BFGS for ever.
    far = out is not None and bool(jnp.any(out))
    if left == 0 or not (far or int(solution.status.code) in FELL_SHORT):
        return solution, suspect, out
    again, suspect, out = once(method=second, init=init, controls=(tolerance, np.asarray(left)), **rest)
    return again._replace(iterations=solution.iterations + again.iterations), suspect, out


def _misled(solution: Solution, method: str) -> bool:
    """Whether a method has failed, or claims what it has not proved."""
    code = int(solution.status.code)
    return code in _MISLED or (method == UNPROVED and code == Status.NO_FINITE_MINIMISER)


def _solve(loss, data, penalty, init, controls, *, model, method, facts, table, final):
    """The solution, whether the columns are so nearly dependent that the table needs to be treated as "careful", and
    which examples are `lone`, or None.

    `table`: "quick" or "careful" factorisation of the whole, None to find out which is needed; or by "blocks", with
    "sample" if their extents are those of a sample, and of any rank if that is `final`.
    """
    blocks = table in ("sample", "blocks")
    with jax.default_matmul_precision("highest"):
        l1, l2 = penalty
        labels = not losses.has_card(loss) or losses.claims(loss).target == "label"
        features, targets, share = cleaned(data, l2.dtype, blocks=blocks, labels=labels)
        ridge = l2 / losses.constant_curvature(loss) if method == "least_squares" else l2
        if l1 is not None:
            basis = column_design(features, share, l2, model.intercept, blocks=blocks, sampled=table == "sample")
        elif blocks:
            look = {"sampled": table == "sample", "any_rank": final}
            basis = blocked_design(features, share, ridge, model.intercept, **look)
        else:
            careful = None if table is None else table == "careful"
            basis = design(features, share, ridge, model.intercept, careful)
        if not final:
            # What is suspect is not worth a step.
            controls = controls[0], jnp.where(basis.suspect, 0, controls[1])
        outcome = ALGORITHMS[method](loss, basis, targets, penalty, init, controls, model, facts)
        finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(outcome.params)]))
        # Where even the start overflows, zeros and a status say more than NaN.
        params = jax.tree.map(lambda leaf: jnp.where(finite, leaf, 0.0), outcome.params)
        known = None if outcome.exact is None else (outcome.cost, outcome.exact & finite)
        value, trivial, several = value_at(loss, model, basis, targets, params, l1, l2, known)
    code = jnp.where(several & (outcome.code == Status.CONVERGED), Status.NOT_UNIQUE, outcome.code)
    gap = outcome.gap
    # Lines are those of a sum of losses up to a constant.
    if outcome.cost is not None and (facts is not None or not any(map(losses.parts, choices(loss) or [loss]))):
        # What is lost where the basis sees digits that weights have not.
        lost, size = value - outcome.cost, jnp.maximum(jnp.abs(value), jnp.abs(trivial))
        gap = gap + jnp.where(lost > 64 * jnp.finfo(size.dtype).eps * size, lost, 0.0)
        much = (lost > _MUCH * size) & ((lost > outcome.gap) | jnp.isinf(outcome.gap))
        code = jnp.where(much & jnp.isin(code, jnp.array(GOOD)), Status.STALLED, code)
    sound = finite & jnp.isfinite(value)
    gap = jnp.where(sound & ~jnp.isnan(gap), gap, jnp.inf)
    status = Status(jnp.where(sound, code, Status.DIVERGED))
    solution = Solution(params, value, gap, outcome.iterations, status)
    out = lone(basis, controls[0], orthonormal=l1 is None) if may_be_far(loss) else None
    return solution, basis.suspect | outcome.doubtful, out


_STATIC = ("model", "method", "facts", "table", "final")
# Inside another programme, and by itself, of a small table, of a long one and of another.
_inside = jax.jit(_solve, static_argnames=_STATIC)
_of_small = jax.jit(_solve, static_argnames=_STATIC, compiler_options=AT_ONCE)
_of_long = jax.jit(_solve, static_argnames=_STATIC, compiler_options=LEANER)
_alone = jax.jit(_solve, static_argnames=_STATIC, compiler_options=SOONER)


def _in_memory(data: Dataset) -> Dataset:
    return data._replace(features=jnp.asarray(data.features[:]))


def _number(value: Any, dtype: Any) -> Any:
    """For a programme, which NumPy's serve as well as JAX's, in a tenth of the time that it takes to make one."""
    return jnp.asarray(value, dtype) if isinstance(value, jax.Array) else np.asarray(value, dtype)


def _check_tolerance(tolerance: Any) -> None:
    if tolerance is not None and not traced(tolerance) and not (np.ndim(tolerance) == 0 and 0 < tolerance < 1):
        raise ValueError(f"tolerance={tolerance}: give a number between 0 and 1, or None.")
