"""How fast is the exact solver beside its peers, at the same objective? `python -m benchmarks.solve [contests]`.

The table has ms a fit (compilation apart; of many fits ours are one `sweep`, a peer runs a sample), how many times
faster ours is, and how far each objective, computed by NumPy from the coefficients, lies above the better of the two:
the peer's `behind`, then `ours`. A peer further behind than its contest tolerates has its ratio in brackets.
"""

import argparse
from collections.abc import Iterator

import jax

from benchmarks.contests import CONTESTS, Held, hold, scaled


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contests", nargs="*", choices=[*CONTESTS, []], help="all if none is given")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="times the fits of a contest or its rows: 0.01 to try")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    head = f"{'contest':20}{'ms a fit':>10}{'compile s':>11}  {'peer':50}{'ms a fit':>10}"
    print(f"{head}{'times':>9}{'behind':>10}{'ours':>10}")
    for name in options.contests or CONTESTS:
        contest = scaled(CONTESTS[name], options.scale)
        for line in _lines(name, hold(contest, options.repeats), contest.tolerance):
            print(line, flush=True)


def _lines(name: str, held: Held, tolerance: float) -> Iterator[str]:
    for peer, found in held.peers.items():
        times = f"{found.seconds / held.seconds:.1f}"
        shown = times if found.behind <= tolerance else f"({times})"
        yield (
            f"{name:20}{1e3 * held.seconds:10.3f}{held.compilation:11.2f}  {peer:50}"
            f"{1e3 * found.seconds:10.2f}{shown:>9}{found.behind:10.1e}{found.ours_behind:10.1e}"
        )


if __name__ == "__main__":
    main()
