"""What the numbers were computed with: versions, machine, precision. No dates and no paths."""

import platform
import sys
from importlib import metadata


def environment() -> dict[str, str]:
    """Versions of Python and of the libraries that decide a number or a picture; the device, the precision."""
    import jax

    versions = {name: metadata.version(name) for name in ("jax", "jaxlib", "optax", "numpy", "matplotlib")}
    return {
        # Not from the metadata: a clone may be run without being installed.
        "lossopt": sys.modules["lossopt"].__version__,
        "python": platform.python_version(),
        **versions,
        "machine": f"{platform.system()} {platform.machine()}",
        "device": jax.devices()[0].device_kind,
        "precision": str(jax.dtypes.canonicalize_dtype(float)),
    }
