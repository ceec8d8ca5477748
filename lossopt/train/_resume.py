"""The training loop in parts, each of which is kept on disk when it is done, so that a fit that was stopped goes on."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from .. import border
from ..compiling import among_processes, staged
from ..data import spread, traced
from ..status import Status
from ..store import identity, like, plain, Store
from ._loop import advance, begin, Fit, outcome


def in_parts(objective, params, data, key, tolerance, loop, num_steps, resume, every, *, given) -> Fit:
    """The same in parts, each of which is kept when it is done, with the state to go on from.

    `data` were arranged, maybe with other last bits on another machine: what was `given` identifies the fit.
    """
    if staged() or traced(objective, params, data, key):
        raise ValueError("resume keeps files, which a compiled programme cannot: call fit outside jit and vmap.")
    every = border.whole("checkpoint_every", every)
    state, last = begin(params, data, loop=loop), params
    bare = loop._replace(keep_params=False)
    programme = identity(advance.trace(objective, state, last, data, key, 0, loop=bare, steps=1))
    asked = {"objective and optimizer": programme, "start": params, "hyperparameters": _arrays(objective)}
    asked |= {"data": _arrays(given), "key": key, "keep_params": loop.keep_params}
    asked |= {"steps": (num_steps, every), "optax": optax.__version__}
    store, traces = Store("fit", resume, asked), []
    for number, first in enumerate(range(0, num_steps + 1, every)):
        steps = min(every, num_steps + 1 - first)
        part = functools.partial(advance, objective, state, last, data, key, first, loop=loop, steps=steps)
        kept = store.load(str(number))
        if kept is None:
            done = _together(part, first, every)
            store.save(str(number), list(map(plain, jax.tree.leaves(done))))
        else:
            (after, last), trace = jax.tree.unflatten(jax.tree.structure(jax.eval_shape(part)), kept)
            done = jax.tree.map(like, ((after, last), trace), ((state, last), trace))
        (state, last), trace = done
        traces.append(trace)
    trace = jax.tree.map(lambda *parts: jnp.concatenate(parts), *traces)
    return Fit(last, trace, Status(outcome(trace, last, jnp.asarray(tolerance, trace.cost.dtype))))


def _together(part: Callable[[], Any], first: int, every: int) -> Any:
    """What a part gives, once all processes have done it."""
    then = (
        f"That was in the {every} steps after step {first}. Start all processes again with the same resume folder: "
        "they go on from there."
    )
    with among_processes(then):
        return jax.block_until_ready(part())


def _arrays(tree: PyTree) -> list[Any]:
    """What identifies the arrays in a pytree: their numbers, or of rows that no process sees all of their shape."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if not callable(leaf)]
    return [f"{leaf.dtype}{leaf.shape}" if spread(leaf) else plain(leaf) for leaf in leaves]
