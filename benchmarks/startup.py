"""Start-up: seconds of the least of five runs of commands that should be quick.

python benchmarks/startup.py
"""

import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import setol": ["-c", "import setol"],
    "import setol_zoo": ["-c", "import setol_zoo"],
    "setol --help": ["-m", "setol_zoo.cli", "--help"],
    "setol catalog list": ["-m", "setol_zoo.cli", "catalog", "list"],
    "setol analyze --help": ["-m", "setol_zoo.cli", "analyze", "--help"],
}


def main() -> None:
    """Print a line a command."""
    for name, arguments in COMMANDS.items():
        best = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            best = min(best, time.perf_counter() - start)
        print(f"{name:<24} {best:6.2f} s")


if __name__ == "__main__":
    sys.exit(main())
