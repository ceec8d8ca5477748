"""Rows that lie on a mesh: where its axes are explicit, a fit is computed with automatic ones."""

import functools
from collections.abc import Callable
from typing import Any, cast, TypeVar

import jax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from .compiling import staged
from .data import traced


Run = TypeVar("Run", bound=Callable[..., Any])


def automatic(run: Run) -> Run:
    """`run` where the compiler places what is computed, which explicit axes leave to whoever writes each operation.

    Inside a larger programme the results come back to the explicit axes, the same on every device.
    """

    @functools.wraps(run)
    def placed(*given: Any, **options: Any) -> Any:
        try:
            leaves, structure = jax.tree.flatten((given, options))
        except ValueError:  # a mistake, which lies on no mesh, and which `run` answers
            return run(*given, **options)
        mesh = next((jax.typeof(leaf).sharding.mesh for leaf in leaves if _explicit(leaf)), None)
        if mesh is None:
            return run(*given, **options)
        with jax.sharding.use_abstract_mesh(mesh.update_axis_types(dict.fromkeys(mesh.axis_names, AxisType.Auto))):
            # What is not traced is moved by the check of the data, without a programme.
            if traced(leaves):
                moved = [jax.sharding.reshard(leaf, PartitionSpec()) if _explicit(leaf) else leaf for leaf in leaves]
                given, options = jax.tree.unflatten(structure, moved)
            found = run(*given, **options)
        return jax.sharding.reshard(found, NamedSharding(mesh, PartitionSpec())) if staged() else found

    return cast(Run, placed)


def _explicit(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jax.typeof(leaf).sharding.mesh._any_axis_explicit
