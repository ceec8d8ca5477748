"""Many fits: losses times hyperparameters times data sets, in chunks that fit the cache, on all cores or devices.

A sweep is a table of numbered fits; `_grid` says what fit i is, `_programme` what does it, `_fits` which losses
share one, `_sweep` runs.
"""

from ._sweep import Sweep as Sweep, sweep as sweep
