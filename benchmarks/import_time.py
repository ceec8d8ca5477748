"""What does `import lossopt` add to importing jax and optax?

`python -m benchmarks.import_time` starts fresh interpreters in turn, with and without it, and prints the medians and
their difference in milliseconds.
"""

import statistics
import subprocess
import sys
import time


COMMANDS = {"jax, optax": "import jax, optax", "jax, optax, lossopt": "import jax, optax, lossopt"}


def inside(code: str) -> float:
    """Seconds that the last import takes inside a process that has imported the others."""
    timed = f"import jax, optax, time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", timed], capture_output=True, text=True, check=True).stdout)


def whole(code: str) -> float:
    """Seconds that a whole interpreter takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def main(repeats: int = 11) -> None:
    """Print the table."""
    times = {name: [] for name in COMMANDS}
    for _ in range(repeats):
        for name, code in COMMANDS.items():
            times[name].append(whole(code))
    for name, values in times.items():
        print(f"{name:24}{1e3 * statistics.median(values):8.0f} ms")
    added = statistics.median(inside("import lossopt") for _ in range(repeats))
    print(f"{'lossopt alone':24}{1e3 * added:8.0f} ms")


if __name__ == "__main__":
    main()
