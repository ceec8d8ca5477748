"""The experiments, one module a question. Importing them turns float64 on: they measure to 1e-10 and beyond."""

import jax


jax.config.update("jax_enable_x64", True)

# In the order in which a reader should meet them.
NAMES = ("convergence", "outlier_sensitivity", "landscape")
