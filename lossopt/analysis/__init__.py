"""What fits say side by side: sweeps, bands, held-out errors, outliers, the pull of one more row.

Pure functions of arrays, which return arrays or NamedTuples of them.
"""

from ._assess import (
    assess as assess,
    Assessment as Assessment,
    Errors as Errors,
    errors as errors,
    folds as folds,
    Mistakes as Mistakes,
    mistakes as mistakes,
    noise_scale as noise_scale,
    outliers as outliers,
    scores as scores,
    unit_of as unit_of,
)
from ._influence import influence as influence, sensitivity_curve as sensitivity_curve
from ._start import robust_start as robust_start
from ._grid import Band as Band, mean_band as mean_band, spread_band as spread_band, over_grid as over_grid
