"""`python -m benchmarks.measure MODULE [--quick]`: run one benchmark here and print its values as JSON."""

import json
import sys
from contextlib import redirect_stdout
from importlib import import_module


def main() -> None:
    """Run the benchmark; whatever it prints goes to standard error, so that only the result is on stdout."""
    with redirect_stdout(sys.stderr):
        values = import_module(sys.argv[1]).measure(quick="--quick" in sys.argv)
    print(json.dumps(values))


if __name__ == "__main__":
    main()
