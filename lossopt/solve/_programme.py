"""What is compiled: the basis of a table, the minimum in it, and what that costs; as one programme, or as three.

Of a large table the basis is a programme of its own, which serves every loss. What a minimum costs is mostly known when
it is found, and the third programme is then not compiled.
"""

import concurrent.futures
import functools
import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import losses
from ..compiling import AT_ONCE, at_once, LEANER, on_cpu, Options, SOONER
from ..status import GOOD, Status
from ._algorithms import ALGORITHMS
from ._cleaned import cleaned, shared
from ._column_design import column_design
from ._design import blocked_design, design
from ._lone import lone, may_be_far
from ._normal import all_finite
from ._outcome import Solution
from ._plan import Plan
from ._traits import choices, forgiving
from ._value import value_at


# Numbers in a table up to which compiling well takes longer than it saves, in some fifty solutions: a second against
# some 10 ms (of several classes up to two seconds against 100 ms); and in a long one, of which few examples are looked
# at twice.
_SMALL, _SMALL_LONG = 2**17, 2**19
# Which share of the cost, or of that of scores of 0, may be lost on the way from a basis to weights.
_MUCH = 1e-6
_BLOCKS = ("sample", "blocks")


class Penalty(NamedTuple):
    """The strengths of the penalties; l1 is None where there is none for sure."""

    l1: Float[Array, ""] | None
    l2: Float[Array, ""]


def programme(plan: Plan, shape: tuple[int, ...]) -> Callable[..., Any]:
    """What solves a table of some shape, called as `_whole` is."""
    if plan.part:
        return inside
    if plan.table in _BLOCKS:
        return _by_stages
    long = plan.method == "aggregation"
    if at_once(math.prod(shape), _SMALL_LONG if long else _SMALL):
        return of_small
    return of_long if long else alone


def _whole(loss, *, data, penalty, init, controls, model, method, facts, table, final):
    """The solution, whether the columns are so nearly dependent that the table needs to be treated as "careful", and
    which examples are `lone`, or None.

    `table`: "quick" or "careful" factorisation of the whole, None to find out which is needed; or by "blocks", with
    "sample" if their extents are those of a sample, and of any rank if that is `final`.
    """
    features, targets, share = _examples(loss, data, penalty, table)
    ridge = penalty.l2 / losses.constant_curvature(loss) if method == "least_squares" else penalty.l2
    basis = _basis(features, share, penalty, ridge, model.intercept, table, final)
    outcome, suspect, out = _minimum(loss, targets, penalty, basis, init, controls, model, method, facts, final)
    return _solution(loss, targets, penalty, basis, outcome, model, facts), suspect, out


def _by_stages(loss, *, table, **settings):
    """The same of a table in blocks; of one that had better be had whole by one programme."""
    return (_in_blocks if table in _BLOCKS else alone)(loss, table=table, **settings)


def _in_blocks(loss, *, data, penalty, init, controls, model, method, facts, table, final):
    known = {"model": model, "facts": facts, "table": table}
    of_basis = {"intercept": model.intercept, "table": table, "final": final}
    of_minimum = {"method": method, "final": final, **known}
    columns, given = (data.features, data.weights, penalty), (loss, data, penalty)
    which = losses.label(loss), data.features.shape, *of_minimum.values()
    form = basis_alone if on_cpu() else basis_elsewhere
    minimise = minimum_alone if facts is not None else minimum_of_lines
    if which not in _begun:
        _begun.add(which)
        in_basis = lambda basis: minimise.lower(*given, basis, init, controls, **of_minimum)  # noqa: E731
        _side_by_side(form.lower(*columns, **of_basis), in_basis)
    basis = form(*columns, **of_basis)
    outcome, suspect, out = minimise(*given, basis, init, controls, **of_minimum)
    exact = outcome.exact is not None and not forgiving(loss) and bool(outcome.exact)
    # What is suspect is solved anew.
    if exact or (bool(suspect) and not final):
        found = Solution(outcome.params, outcome.cost, outcome.gap, outcome.iterations, Status(outcome.code))
        return found, suspect, out
    return solution_alone(*given, basis, outcome, **known), suspect, out


# What has been compiled side by side, as far as it takes to know that it need not be tried again.
_begun: set[Any] = set()


def _side_by_side(basis: jax.stages.Lowered, minimum: Callable[[Any], jax.stages.Lowered]) -> None:
    """Compile the programme of the basis while that of the minimum in it is traced."""
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
        beside.submit(basis.compile)
        minimum(basis.out_info).compile()


def _basis_alone(features, weights, penalty, *, intercept, table, final):
    features, share, _ = shared(features, weights, penalty.l2.dtype, blocks=True)
    # What is as long as the table is not handed on.
    return _basis(features, share, penalty, penalty.l2, intercept, table, final)._replace(features=None, share=None)


def _minimum_alone(loss, data, penalty, basis, init, controls, *, model, method, facts, table, final):
    targets, basis = _handed_on(loss, data, penalty, basis, table)
    return _minimum(loss, targets, penalty, basis, init, controls, model, method, facts, final)


def _solution_alone(loss, data, penalty, basis, outcome, *, model, facts, table):
    targets, basis = _handed_on(loss, data, penalty, basis, table)
    return _solution(loss, targets, penalty, basis, outcome, model, facts)


def _handed_on(loss, data, penalty, basis, table):
    """The targets, and the basis with what is as long as the table."""
    features, targets, share = _examples(loss, data, penalty, table)
    return targets, basis._replace(features=features, share=share)


def _examples(loss, data, penalty, table):
    labels = not losses.has_card(loss) or losses.claims(loss).target == "label"
    return cleaned(data, penalty.l2.dtype, blocks=table in _BLOCKS, labels=labels)


def _precise(stage: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(stage)
    def precisely(*args: Any) -> Any:
        with jax.default_matmul_precision("highest"):
            return stage(*args)

    return precisely


@_precise
def _basis(features, share, penalty, ridge, intercept, table, final):
    sampled, blocks = table == "sample", table in _BLOCKS
    if penalty.l1 is not None:
        return column_design(features, share, penalty.l2, intercept, blocks=blocks, sampled=sampled)
    if blocks:
        return blocked_design(features, share, ridge, intercept, sampled=sampled, any_rank=final)
    return design(features, share, ridge, intercept, None if table is None else table == "careful")


@_precise
def _minimum(loss, targets, penalty, basis, init, controls, model, method, facts, final):
    """The outcome, whether it is suspect, and what is `lone`."""
    if not final:
        # What is suspect is not worth a step.
        controls = controls[0], jnp.where(basis.suspect, 0, controls[1])
    outcome = ALGORITHMS[method](loss, basis, targets, penalty, init, controls, model, facts)
    whole = _costs_whole(loss, facts)
    finite = jnp.all(jnp.stack([all_finite(leaf) for leaf in jax.tree.leaves(outcome.params)]))
    outcome = outcome._replace(
        # Where even the start overflows, zeros and a status say more than NaN.
        params=jax.tree.map(lambda leaf: jnp.where(finite, leaf, 0.0), outcome.params),
        gap=jnp.where(finite & ~jnp.isnan(outcome.gap), outcome.gap, jnp.inf),
        code=jnp.where(finite, outcome.code, Status.DIVERGED),
        exact=outcome.exact & finite & jnp.isfinite(outcome.cost) if outcome.exact is not None and whole else None,
    )
    out = lone(basis, controls[0], orthonormal=penalty.l1 is None) if may_be_far(loss) else None
    return outcome, basis.suspect | outcome.doubtful, out


@_precise
def _solution(loss, targets, penalty, basis, outcome, model, facts):
    known = None if outcome.exact is None else (outcome.cost, outcome.exact)
    value, trivial, several = value_at(loss, model, basis, targets, outcome.params, *penalty, known)
    code = jnp.where(several & (outcome.code == Status.CONVERGED), Status.NOT_UNIQUE, outcome.code)
    gap = outcome.gap
    if outcome.cost is not None and _costs_whole(loss, facts):
        # What is lost where the basis sees digits that weights have not.
        lost, size = value - outcome.cost, jnp.maximum(jnp.abs(value), jnp.abs(trivial))
        gap = gap + jnp.where(lost > 64 * jnp.finfo(size.dtype).eps * size, lost, 0.0)
        much = (lost > _MUCH * size) & ((lost > outcome.gap) | jnp.isinf(outcome.gap))
        code = jnp.where(much & jnp.isin(code, jnp.array(GOOD)), Status.STALLED, code)
    sound = jnp.isfinite(value)
    gap = jnp.where(sound, gap, jnp.inf)
    return Solution(outcome.params, value, gap, outcome.iterations, Status(jnp.where(sound, code, Status.DIVERGED)))


def _costs_whole(loss, facts) -> bool:
    """Whether a method knows all of a cost: lines are those of a sum of losses up to a constant."""
    return facts is not None or not any(map(losses.parts, choices(loss) or [loss]))


_STATIC = ("model", "intercept", "method", "facts", "table", "final")


def _compiled(fn: Callable[..., Any], options: Options | None) -> jax.stages.Wrapped:
    static = [name for name in _STATIC if name in inspect.signature(fn).parameters]
    return jax.jit(fn, static_argnames=static, compiler_options=options)


# Inside another programme, and by itself, of a small table, of a long one and of another.
inside, of_small, of_long, alone = (_compiled(_whole, options) for options in (None, AT_ONCE, LEANER, SOONER))
# On a CPU, what a basis takes to run are products, which are a library's.
basis_alone, basis_elsewhere = (_compiled(_basis_alone, options) for options in (AT_ONCE, SOONER))
minimum_alone, solution_alone = (_compiled(stage, SOONER) for stage in (_minimum_alone, _solution_alone))
minimum_of_lines = _compiled(_minimum_alone, LEANER)
