"""The experiments, one module a question. Importing them turns float64 on: they measure to 1e-10 and beyond."""

import os
from importlib import metadata

import jax


# Compilation is most of the waiting, and these programmes run once: ask XLA for less optimisation, where its release
# knows the flag (an unknown one would end the process). Set XLA_FLAGS to anything to decide otherwise.
FLAGS = ["--xla_llvm_disable_expensive_passes=true", "--xla_backend_optimization_level=0"]
if metadata.version("jaxlib").startswith("0.10."):
    FLAGS.append("--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("XLA_FLAGS", " ".join(FLAGS))

jax.config.update("jax_enable_x64", True)

# In the order in which a reader should meet them.
NAMES = ("convergence", "outlier_sensitivity", "landscape")
