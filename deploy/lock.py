"""Writes requirements.lock: everything that pyproject.toml's extras need, at the version that .venv holds.

Only the installed packages that are reachable from the extras are written, so a stray `pip install` does not leak in.
"""

import importlib.metadata
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FIRST = "torch"
HEADER = """\
# Every package at one version. Written by `make lock` from pyproject.toml's extras and the versions in .venv.
# To take a newer version: .venv/bin/pip install NAME==VERSION, make test, make lock.
# The Makefile installs torch alone and first: that exact pin has a build without CUDA where one is offered.
"""


def wanted() -> Iterator[Requirement]:
    """The direct requirements of the project and of all of its extras, itself left out."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for lines in [project["dependencies"], *project["optional-dependencies"].values()]:
        for requirement in map(Requirement, lines):
            if requirement.name != project["name"]:
                yield requirement


def closure() -> dict[str, str]:
    """Canonical name -> installed version of all that `wanted` reaches; PackageNotFoundError when one is missing."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    todo = list(wanted())
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        distribution = importlib.metadata.distribution(name)
        found[name] = distribution.version.partition("+")[0]
        if not requirement.specifier.contains(found[name], prereleases=True):
            raise SystemExit(f"{requirement} is wanted, {name} {found[name]} is installed")
        for extra in ["", *requirement.extras]:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            needs = (Requirement(line) for line in distribution.requires or [])
            todo += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
    return found


def render(versions: dict[str, str]) -> str:
    names = sorted(versions, key=lambda name: (name != FIRST, name))
    return HEADER + "".join(f"{name}=={versions[name]}\n" for name in names)


if __name__ == "__main__":
    text = render(closure())
    (ROOT / "requirements.lock").write_text(text)
    print(f"requirements.lock: {text.count('==') - HEADER.count('==')} packages")
