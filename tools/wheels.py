"""Does every extra install from wheels alone, on each platform? Needs a package index, and some minutes.

uv resolves what pip would install there (the newest versions), then again with wheels alone, at the same
versions. A difference means that pip would build a package from source, which needs a compiler.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLATFORMS = {
    "Linux x86_64": "x86_64-manylinux_2_28",
    "Linux arm64": "aarch64-manylinux_2_28",
    "macOS arm64": "aarch64-apple-darwin",
    "Windows x86_64": "x86_64-pc-windows-msvc",
}
PYTHONS = ("3.11", "3.13")
OLDEST_MACOS = {"sip": "15.0"}  # else 14.0


def resolve(
    extra: str, platform: str, python: str, *more: str, pins: str = ""
) -> subprocess.CompletedProcess[str]:
    """Resolve an extra for a platform; `pins` are the versions to keep to."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml"]
    command += ["--quiet", "--no-header", "--no-annotate"]
    command += ["--extra", extra, "--python-platform", platform, "--python-version", python, *more]
    return subprocess.run(
        [*command, "--constraint", "-"] if pins else command,
        cwd=ROOT,
        env={**os.environ, "MACOSX_DEPLOYMENT_TARGET": OLDEST_MACOS.get(extra, "14.0")},
        input=pins,
        capture_output=True,
        text=True,
        check=False,
    )


def missing(extra: str, platform: str, python: str) -> str:
    """Return what has no wheel, in uv's words; nothing if all have one."""
    newest = resolve(extra, platform, python)
    if newest.returncode:
        return newest.stderr
    wheels = resolve(extra, platform, python, "--only-binary", ":all:", pins=newest.stdout)
    return wheels.stderr if wheels.returncode else ""


def main() -> int:
    """Print a line per extra, and return 1 if one cannot be installed somewhere."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    failed = False
    for extra in project["optional-dependencies"]:
        for name, platform in PLATFORMS.items():
            for python in PYTHONS:
                problem = missing(extra, platform, python)
                failed = failed or bool(problem)
                sys.stdout.write(f"{extra:14} {name:15} {python}  {problem.strip() or 'wheels'}\n")
                sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(main())
