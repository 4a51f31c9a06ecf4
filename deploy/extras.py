"""python deploy/extras.py text,train: what those extras of pyproject.toml need, a requirement a line, for pip.

Standard library only: an image runs it before anything is installed.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def requirements(extras: list[str]) -> list[str]:
    """The project's own requirements and those of `extras`, references to other extras followed. KeyError for none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: list[str] = list(project["dependencies"])
    todo = list(extras)
    seen: set[str] = set()
    while todo:
        extra = todo.pop()
        if extra in seen:
            continue
        seen.add(extra)
        for line in project["optional-dependencies"][extra]:
            own = re.fullmatch(rf"{re.escape(project['name'])}\[(.+)]", line)
            todo += own.group(1).split(",") if own else []
            found += [] if own else [line]
    return sorted(set(found))


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1].split(","))))
