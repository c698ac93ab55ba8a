"""Other interpreters of this machine; `make interpreters` readies them.

Each gets an environment in `.interpreters/` with what a plugin carries, pinned as in the lock.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

VERSIONS = ("3.11", "3.12", "3.13")

_ROOT = Path(__file__).parents[3]
_READY = _ROOT / ".interpreters"
_MINE = f"{sys.version_info.major}.{sys.version_info.minor}"
_CHECK = "import sys, venv; print('%d.%d' % sys.version_info[:2])"


def ready() -> dict[str, str]:
    """Return the interpreters that have what a plugin needs: version → path."""
    others = {version: _READY / version / "bin" / "python" for version in VERSIONS}
    found = {version: str(path) for version, path in others.items() if path.exists()}
    return found | {_MINE: sys.executable}


def lacking() -> str | None:
    """Say which versions are not ready, and what readies them."""
    versions = [version for version in VERSIONS if version not in ready()]
    how = "`make interpreters` readies those that the machine has"
    return f"not on Python {', '.join(versions)}: {how}" if versions else None


def main() -> None:
    """Ready every version that the machine has."""
    for version in VERSIONS:
        if version in ready():
            continue
        python = _find(version)
        if python is None:
            print(f"Python {version}: not on this machine")
            continue
        _install(python, _READY / version)
        print(f"Python {version}: {python}")


def _find(version: str) -> str | None:
    """Return a command that starts it: by its name, or where pyenv and uv keep theirs."""
    kept = ((".pyenv/versions", version), (".local/share/uv/python", f"cpython-{version}"))
    places = chain.from_iterable(
        sorted((Path.home() / folder).glob(f"{name}*/bin/python{version}")) for folder, name in kept
    )
    for command in (f"python{version}", *map(str, places)):
        try:
            said = subprocess.run(
                [command, "-c", _CHECK], capture_output=True, text=True, check=False
            )
        except OSError:
            continue
        if said.returncode == 0 and said.stdout.strip() == version:
            return command
    return None


def _install(python: str, to: Path) -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    subprocess.run([python, "-m", "venv", "--clear", "--without-pip", to], check=True)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", f"--python={to}/bin/python"]
    pinned = [f"--constraint={_ROOT / 'requirements.lock'}"]
    subprocess.run([*uv, *pinned, *project["dependencies"]], check=True)


if __name__ == "__main__":
    main()
