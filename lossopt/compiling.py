"""How XLA compiles what runs on its own, and whether it does: compiling is most of a user's waiting.

Also how it ends where a process is lost.
"""

import contextlib
import os
from collections.abc import Iterator
from importlib import metadata

import jax
import jax.numpy as jnp
import numpy as np


Options = dict[str, str | bool | int]


# The releases of jaxlib that are known to have an option: one that is not known ends a programme.
_KNOWN = dict.fromkeys(
    ("xla_cpu_parallel_codegen_split_count", "xla_cpu_scheduler_type", "xla_cpu_prefer_vector_width"),
    ("0.10.", "0.12."),
) | {"xla_cpu_use_fusion_emitters": ("0.10.",), "xla_backend_optimization_level": ("",)}


def _options(options: Options) -> Options:
    """Those that this release has; what XLA_FLAGS sets is left as it is."""
    release, flags = metadata.version("jaxlib"), os.environ.get("XLA_FLAGS", "")
    return {
        name: value for name, value in options.items() if release.startswith(_KNOWN[name]) and f"--{name}=" not in flags
    }


# The fusion emitters take a third of the time to compile and save none to run. Kernels are divided into modules that
# compile side by side: more than the cores can take cost a twentieth.
QUICKLY = _options(
    {
        "xla_cpu_use_fusion_emitters": False,
        "xla_cpu_parallel_codegen_split_count": min(4 * (os.cpu_count() or 1), 32),
    }
)
# Saves a quarter of it again, and costs one fit nothing; many small ones side by side take a tenth longer.
SOONER = QUICKLY | _options({"xla_backend_optimization_level": 1})
# Saves half of it again, but what is compiled so takes up to three times as long to run.
AT_ONCE = QUICKLY | _options({"xla_backend_optimization_level": 0})
# Compiles sooner still, and runs in a fifth less memory: what is not needed yet is not made yet, though some of it
# could be side by side, and vectors are shorter, which takes a twentieth off compiling and as much on running, at most.
LEANER = SOONER | _options(
    {"xla_cpu_scheduler_type": "CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED", "xla_cpu_prefer_vector_width": 128}
)


def on_cpu() -> bool:
    """Whether JAX computes on the CPU, and a cache is what decides how much is best done at a time."""
    return jax.default_backend() == "cpu"


def at_once(numbers: int, most: int) -> bool:
    """Whether what sees so many numbers is to be compiled at once: at `most` so many, and by XLA for a CPU."""
    return numbers <= most and on_cpu()


def staged() -> bool:
    """Whether what is called becomes part of a larger programme, for which alone options can be given."""
    # JAX's own zeros would be compiled.
    return isinstance(jnp.asarray(np.zeros(())), jax.core.Tracer)


@contextlib.contextmanager
def among_processes(then: str) -> Iterator[None]:
    """Say of what fails between several processes that one was lost, and what to do `then`."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        raise RuntimeError(f"Another process was lost or cannot be reached. {then}") from error
