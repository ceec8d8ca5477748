"""How XLA compiles what runs on its own, and whether it does: compiling is most of a user's waiting."""

import os
from importlib import metadata

import jax
import jax.numpy as jnp


# Later releases of jaxlib may not have the options that are given for this one alone.
_KNOWN = metadata.version("jaxlib").startswith("0.10.")
# Into how many modules the kernels of a programme are divided, which compile side by side: more than the cores can take
# cost a twentieth of the time to compile. Who set it knows better.
_SPLIT = "xla_cpu_parallel_codegen_split_count"
_MODULES = {} if _SPLIT in os.environ.get("XLA_FLAGS", "") else {_SPLIT: min(4 * (os.cpu_count() or 1), 32)}
# Saves a third of the time to compile and costs none to run.
QUICKLY: dict[str, str | bool | int] = {"xla_cpu_use_fusion_emitters": False, **_MODULES} if _KNOWN else {}
# Saves a quarter of it again, and costs one fit nothing; many small ones side by side take a tenth longer.
SOONER: dict[str, str | bool | int] = {**QUICKLY, "xla_backend_optimization_level": 1}
# Saves half of it again, but what is compiled so takes up to three times as long to run.
AT_ONCE: dict[str, str | bool | int] = {**QUICKLY, "xla_backend_optimization_level": 0}
# As soon as `SOONER`, and in a fifth less memory: what is not needed yet is not made yet, though some of it could be
# side by side.
_LATER: dict[str, str | bool | int] = {
    "xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED",
    # A twentieth off the time to compile, for at most as much on that to run.
    "xla_cpu_prefer_vector_width": 128,
}
LEANER: dict[str, str | bool | int] = {**SOONER, **(_LATER if _KNOWN else {})}


def at_once(numbers: int, most: int) -> bool:
    """Whether what sees so many numbers is to be compiled at once: at `most` so many, and by XLA for a CPU."""
    return numbers <= most and jax.default_backend() == "cpu"


def staged() -> bool:
    """Whether what is called becomes part of a larger programme, for which alone options can be given."""
    return isinstance(jnp.zeros(()), jax.core.Tracer)
