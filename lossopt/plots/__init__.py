"""Pictures: data in, matplotlib Figure out. One style for all of them; nothing here fits or trains."""

from ._fits import fits as fits, Scatter as Scatter
from ._labels import label_ends as label_ends
from ._lines import convergence as convergence, curve as curve, Curve as Curve, draw_curves as draw_curves
from ._panels import panels as panels
from ._save import save as save
from ._portrait import portrait as portrait
from ._shapes import loss_shapes as loss_shapes
from ._style import OKABE_ITO as OKABE_ITO, Style as Style, style as style, styles as styles
from ._valley import valley as valley, Valley as Valley
