"""Results of experiments as files, tables and one page.

An experiment is a module `experiments/<name>.py` with

- a docstring: the question in its first paragraph; then the design, which may begin with "Design."; then a
  paragraph that begins with "Claims", which the page leaves out because it shows the claims measured;
- `run(*, seed: int, quick: bool, progress: report.Progress) -> report.Results`, which fills `rows`, `curves`,
  `claims`, `captions` and `config` and nothing else; it wraps its long loops in `progress(items, "what is done")`;
- `plot(results) -> dict[str, Figure]`, one figure for each caption, drawn from the results alone;
- `main`, the command:

      def main() -> None:
          report.main(run, plot, doc=__doc__, name="convergence", order=NAMES)  # from . import NAMES

      if __name__ == "__main__":
          main()

`main` adds the name, the question, the design, the figures, and `seed` and `quick` to the config; it saves everything
under `results/<name>/`, prints the verdicts and brings the page `results/index.html` up to date. It ends the process
with 0, with 1 if the experiment failed to run, 2 or 130; a claim that does not hold is reported and is no failure to
run. A test calls `run(seed=0, quick=True, progress=report.silent)` and looks at the claims. `python -m experiments`
runs the modules that `experiments.NAMES` lists, in that order.
"""

from ._cards import card_facts as card_facts, card_rows as card_rows, description as description
from ._claim import Claim as Claim
from ._command import check_options as check_options, Experiment as Experiment, main as main, main_all as main_all
from ._comparison import (
    comparison as comparison,
    COMPARISON as COMPARISON,
    print_comparison as print_comparison,
)
from ._console import (
    print_table as print_table,
    Progress as Progress,
    showing as showing,
    silent as silent,
    stderr as stderr,
)
from ._page import page as page, write_page as write_page
from ._threads import side_by_side as side_by_side
from ._results import load as load, plain as plain, Results as Results, save as save, Saved as Saved
