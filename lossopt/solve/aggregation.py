"""Long tables of a piecewise-linear loss: examples that are far from its kinks count as their mean.

Near the minimum the signs of most residuals are known, and examples of which they are cost what their mean costs, as
often. So the interior point method is given those nearest to a kink, and, for each straight piece of the loss, the mean
of the others that lie on it (Portnoy and Koenker 1997, section 5). In the first round it is given a sample instead,
which tells where the kinks lie.

By Jensen's inequality no coefficients cost such a problem more than they cost the whole table, wherever the signs turn
out to be. Its dual bound is therefore one for the whole table, and a round is the last if the cost of all examples is
as near to the bound as asked. Otherwise the next chooses by better coefficients.

From r of n examples, m coefficients are found to within √(m/r) mean residuals, at the origin to within 1/√r. Most of
those whose sign that leaves open are among the r nearest to a kink if r/n is 1.45 times as much, which makes r =
(1.45 n √m)^(2/3). Beyond them nothing holds the coefficients back: where a few signs more are open, the problem's own
minimum may lie far away. It is believed no further than the furthest of the r, which is nearly always enough for the
next round.

From round to round no more is kept of each example than the piece that it is taken to be on; the lines are made again
whenever they are needed.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from .. import losses
from . import interior_point
from ._blocks import Fold, walk
from ._central_path import Found
from ._columns import Columns, positive
from ._design import Design, SAMPLED
from ._normal import CACHED, length
from ._outcome import Outcome
from ._piecewise import BY_CLASS, Given, kind_of, Lines


# The numbers in a table from which on it saves more than compiling it takes, and how many times fewer rows it should
# leave. The rounds after which signs that have not settled never will.
_LONG, _FEWER, _ROUNDS = 2**18, 6, 6
# The entries of a sample that stands for all where a quantile is sought, and the share of the room for examples that it
# should fill.
_SAMPLE, _FILLED = 2**14, 0.9
# For the number of a piece.
_ANY = -1
# About how many numbers are computed of a row beside its columns.
_LINES = 12


class _Table(NamedTuple):
    """All examples."""

    given: Given
    targets: Shaped[Array, " n"]
    design: Design


class _Near(NamedTuple):
    """The places of some examples, how many of them count, and how far from a kink the furthest may lie."""

    at: Int[Array, " r"]
    used: Int[Array, ""]
    width: Float[Array, ""]

    @property
    def counted(self) -> Bool[Array, " r"]:
        """Which count."""
        return jnp.arange(self.at.size, dtype=self.used.dtype) < self.used


class _State(NamedTuple):
    """The best coefficients so far, which piece each example is taken to be on, whom to keep next, the rounds made.

    `size` is that of the lines, `steep` the mean square of their slopes. Those to be kept, and in the first round all,
    may be on any piece: `_ANY`.
    """

    found: Found
    size: Float[Array, ""]
    steep: Float[Array, ""]
    piece: Int[Array, " n"]
    near: _Near
    rounds: Int[Array, ""]
    close: Bool[Array, ""]


def worth_while(loss: losses.Loss, rows: int, columns: int) -> bool:
    """Whether a table is long enough for a loss, which is one of a single residual or margin."""
    long = rows * columns >= _LONG and rows >= _FEWER * _kept(rows, columns + 1)
    return long and kind_of(loss) not in (None, *BY_CLASS)


def _kept(rows: int, coefficients: int) -> int:
    return int((1.45 * rows * coefficients**0.5) ** (2 / 3))


def solve(
    given: Given,
    targets: Shaped[Array, " n"],
    design: Design,
    l2: Float[Array, ""],
    tolerance: Float[Array, ""],
    max_iterations: Int[Array, ""],
    *,
    regression: bool,
) -> Outcome:
    """Minimise Σ s loss + l2/2 |w|² as `interior_point.solve` does; doubtful if the signs did not settle."""

    def unfinished(state: _State) -> Array:
        return (state.rounds < _ROUNDS) & ~state.close & jnp.isfinite(state.found.cost)

    def search(lines: Lines, table: Array, share: Array, near: Array) -> Found:
        options = {"regression": regression}
        return interior_point.search(lines, table, share, near, design, l2, tolerance, max_iterations, **options)

    zero, none, no = jnp.zeros_like(l2), jnp.zeros((), int), jnp.array(False)
    centre = jnp.zeros(design.penalty.shape[1], l2.dtype)
    if regression:
        centre = design.project(targets[:, None], SAMPLED)[:, 0]
    start, n = Found(centre, zero, zero - jnp.inf, no, zero, none), len(targets)
    begin = _State(start, zero, zero, jnp.full(n, _ANY, jnp.int8), _spaced(n, _kept(n, centre.size)), none, no)
    once = functools.partial(_once, _Table(given, targets, design), search, tolerance)
    ended = jax.lax.while_loop(unfinished, once, begin)
    outcome = interior_point.outcome(ended.found, ended.size, design, tolerance, max_iterations)
    outcome = outcome._replace(doubtful=~ended.close)
    if design.formed is not None:
        return outcome
    # As in `newton`: whether the way from the basis raises nothing.
    doubt = length(design.encode(outcome.params) - ended.found.coefficients) * jnp.sqrt(ended.steep)
    return outcome._replace(exact=doubt <= interior_point.rounding(ended.size))


def _once(all_: _Table, search: Callable[..., Found], tolerance: Array, state: _State) -> _State:
    """A round: the examples that are kept, the coefficients that they give, and what all examples say to those."""
    first, last, design = state.rounds == 0, state.found, all_.design
    new = search(*_together(all_, state.piece, state.near, first), last.coefficients)
    unit, step = jnp.where(first, new.unit, last.unit), new.coefficients - last.coefficients
    # In this basis its length is that of the movement of a score.
    part = state.near.width.astype(unit.dtype) * unit / positive(length(step))
    coefficients = last.coefficients + jnp.minimum(part, 1.0) * step
    (cost, size, steep), piece, distance = _seen(all_, coefficients, unit, state.piece)
    new = Found(
        coefficients=coefficients,
        cost=cost + design.shrinkage(coefficients),
        bound=jnp.where(first, -jnp.inf, jnp.maximum(new.bound, last.bound)),
        determined=new.determined,
        unit=unit,
        iterations=last.iterations + new.iterations,
    )
    near = _nearest(distance, state.near.at.size)
    piece = piece.at[jnp.where(near.counted, near.at, piece.size)].set(_ANY, mode="drop")
    return _State(new, size, steep, piece, near, state.rounds + 1, new.near(tolerance))


def _seen(all_: _Table, coefficients: Array, unit: Array, last: Array) -> tuple[tuple[Array, ...], Array, Array]:
    """Of all examples at some coefficients the cost, and the size and steepness of the lines; of each the piece and the
    distance."""
    inner = all_.design.inner(coefficients)

    def of_block(basis: Columns, share: Array, targets: Array, last: Array) -> Fold:
        lines = all_.given(share, targets)
        u = lines.target - (lines.sign * basis.scores(inner))[None]
        piece = jnp.sum(u <= 0, axis=0, dtype=jnp.int8)
        # Those of which the sign was taken for known, and was not, come first.
        expected = (last == _ANY) | (piece == last)
        distance = jnp.where(expected, jnp.min(jnp.abs(u), axis=0) / positive(unit), 0.0)
        return Fold((lines.cost(u), lines.size(), lines.steep(share)), (), (piece, _ordered(distance)))

    sums, _, (piece, distance) = all_.design.fold(of_block, all_.targets, last, beside=_LINES)
    return sums, piece, jnp.where(all_.design.share > 0, distance, _ordered(jnp.inf))


def _ordered(distance: Array | float) -> Array:
    """Distances to three digits, as whole numbers in their order, of two bytes."""
    return jax.lax.bitcast_convert_type(jnp.asarray(distance, jnp.bfloat16), jnp.int16)


def _spaced(n: int, kept: int) -> _Near:
    """A sample of all."""
    places = jnp.floor(jnp.arange(kept, dtype=float) * (n / kept)).astype(jnp.int32)
    return _Near(places, jnp.array(kept, jnp.int32), jnp.full((), jnp.inf, jnp.bfloat16))


def _nearest(distance: Array, kept: int) -> _Near:
    """The examples nearest to a kink, at most so many."""
    n = distance.size
    some = jnp.sort(distance[:: -(-n // _SAMPLE)])
    width = some[int(_FILLED * kept / n * some.size)]
    rows = min(n, _SAMPLE)

    def add(start: Array, fresh: Array, found: tuple[Array, Array]) -> tuple[Array, Array]:
        places, count = found
        near = fresh & (jax.lax.dynamic_slice_in_dim(distance, start, rows) <= width)
        rank = count + jnp.cumsum(near, dtype=jnp.int32)
        numbers = (start + jnp.arange(rows)).astype(jnp.int32)
        return places.at[jnp.where(near, rank - 1, kept)].set(numbers, mode="drop"), rank[-1]

    # By blocks, and not of all at once as `nonzero` does, which would take as much memory as all else.
    nothing = jnp.zeros(kept, jnp.int32), jnp.zeros((), jnp.int32)
    places, count = walk(add, rows, n, nothing)
    return _Near(places, count, jax.lax.bitcast_convert_type(width, jnp.bfloat16))


def _together(all_: _Table, piece: Array, near: _Near, sample: Array) -> tuple[Lines, Array, Array]:
    """Lines, table and shares of some examples and of the mean of the others on each piece; or of a sample."""
    (given, targets, design), at = all_, near.at
    share = jnp.where(near.counted, design.shares[at], 0.0)
    share = jnp.where(sample, share / jnp.sum(share), share)
    kept = given(share, targets[at])
    pieces = jnp.arange(kept.target.shape[0] + 1, dtype=piece.dtype)

    def of_block(basis: Columns, share: Array, targets: Array, piece: Array) -> Fold:
        lines = given(share, targets)
        # A row of two blocks has no share in one of them.
        on = ((share > 0)[None] & (piece[None] == pieces[:, None])).astype(share.dtype)
        weight = jnp.sum(lines.up + lines.down, axis=0)[None]
        rows = jnp.concatenate([lines.target * weight, lines.up, lines.down, share[None], weight])
        return Fold((basis.moments(lines.sign[None] * weight * on), rows @ on.T))

    means, sums = design.fold(of_block, targets, piece, beside=_LINES).sums
    terms = pieces.size - 1
    middle, ups, downs, (shares, total) = jnp.split(sums, [terms, 2 * terms, 3 * terms])
    divided = jnp.where(total > 0, total, 1.0)

    def with_means(of_each: Array, of_means: Array) -> Array:
        return jnp.concatenate([of_each, of_means], axis=-1)

    lines = Lines(
        sign=with_means(kept.sign, jnp.ones_like(total)),
        target=with_means(kept.target, middle / divided[None]),
        up=with_means(kept.up, ups),
        down=with_means(kept.down, downs),
    )
    # One that does not count lies at the origin.
    table = _rows_and_means(design, at, jnp.where(share > 0, kept.sign, 0.0), design.outer(means) / divided[None])
    return lines, table, with_means(share, jnp.where(total > 0, shares, 0.0))


def _rows_and_means(design: Design, at: Array, sign: Array, means: Array) -> Array:
    """The examples at some places times their signs, and means; by the block, so that there is no second copy."""
    rows = min(at.size, max(CACHED // len(means), 1))

    def put(start: Array, _: Array, table: Array) -> Array:
        places, signs = (jax.lax.dynamic_slice_in_dim(each, start, rows) for each in (at, sign))
        return jax.lax.dynamic_update_slice_in_dim(table, signs[None] * design.rows(places), start, 1)

    empty = jnp.zeros((len(means), at.size), means.dtype)
    return walk(put, rows, at.size, jnp.concatenate([empty, means], axis=1))
