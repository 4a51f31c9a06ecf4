"""Who may import whom: the contracts in pyproject.toml, and what import-linter cannot say."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

from deploy.extras import requirements

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gateway", "ml_text", "ml_image", "ml_audio", "shared")
HEAVY = ("torch", "transformers", "peft", "tokenizers", "safetensors", "llguidance")
IMPORT_AND_LOOK = """
import importlib, sys
for name in sys.argv[1].split(","):
    importlib.import_module(name)
print(",".join(sorted(set(sys.argv[2].split(",")) & set(sys.modules))))
"""


def imported(path: Path) -> Iterator[str]:
    """The modules that `path` imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def module_names(*folders: str) -> list[str]:
    """Dotted names of all modules below `folders`."""
    paths = [path.relative_to(ROOT) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths]


def heavy_after_importing(names: list[str]) -> str:
    command = [sys.executable, "-c", IMPORT_AND_LOOK, ",".join(names), ",".join(HEAVY)]
    seen = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert seen.returncode == 0, seen.stderr
    return seen.stdout.strip()


def test_contracts_hold():
    linter = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert linter.returncode == 0, linter.stdout + linter.stderr


def test_gateway_and_light_half_never_load_torch():
    light = [name for name in module_names("gateway", "shared") if not name.startswith("shared.training")]
    assert "shared.errors" in light and "gateway.main" in light
    assert heavy_after_importing(light) == ""


def test_the_check_for_torch_can_fail():
    assert heavy_after_importing(["torch"]) == "torch"


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        ("shared/wire", {"pydantic", "pydantic_core", "shared.wire"}),
        ("ml_text/models", {"torch", "transformers"}),
        ("ml_image/models", {"torch", "transformers", "diffusers", "ml_image.models"}),
        ("ml_audio/models", {"torch", "transformers", "numpy", "safetensors", "ml_audio.models"}),
    ],
)
def test_the_bottom_layers_import_only(folder: str, allowed: set[str]):
    strangers = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / folder).rglob("*.py")
        for name in imported(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not any(name == one or name.startswith(one + ".") for one in allowed)
    }
    assert not strangers


@pytest.mark.parametrize(
    ("package", "extras"),
    [
        ("gateway", ["gateway", "faces"]),
        ("ml_text", ["text", "train"]),
        ("ml_image", ["image", "train"]),
        ("ml_audio", ["audio", "train", "corpus"]),
    ],
)
def test_every_import_is_in_an_extra(package: str, extras: list[str]):
    """Of the package and of what it uses of `shared`, so that its image installs alone; what comes only through another
    requirement may go with that one's next version."""
    listed = {re.split(r"[\[<>=]", line)[0].lower().replace("_", "-") for line in requirements(extras)}
    owners = importlib.metadata.packages_distributions()
    graph = grimp.build_graph(*PACKAGES, include_external_packages=True)
    used = {name.split(".")[0] for name in graph.find_upstream_modules(package, as_package=True)}
    strangers = used - set(sys.stdlib_module_names) - set(PACKAGES)
    missing = {
        name for name in strangers if not listed & {owner.lower().replace("_", "-") for owner in owners.get(name, [])}
    }
    assert not missing


def test_the_environment_is_read_in_settings_only():
    """Setting a variable for a library that reads it (`os.environ[...] = ...`) is no reading."""
    reading = re.compile(r"os\.getenv|os\.environ(?!\[[^\]]+\] = |\.update\(|\.setdefault\()")
    readers = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name != "settings.py" and reading.search(path.read_text())
    ]
    assert not readers
