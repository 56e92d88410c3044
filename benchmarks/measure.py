"""`python -m benchmarks.measure MODULE [--quick]`: one benchmark in this process, its values as JSON."""

import json
import sys
from contextlib import redirect_stdout
from importlib import import_module


def main() -> None:
    """Keep standard output for the result: whatever else is printed goes to standard error."""
    with redirect_stdout(sys.stderr):
        values = import_module(sys.argv[1]).measure(quick="--quick" in sys.argv)
    print(json.dumps(values))


if __name__ == "__main__":
    main()
