"""Files and functions stay small enough to read in one go, and are named for what they hold."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gateway", "ml_text", "ml_image", "ml_audio", "shared", "deploy", "benchmarks", "examples", "tests")
FILE_LINES, LONG_FILE_LINES, MEDIAN_LINES, FUNCTION_LINES = 300, 400, 120, 60
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "core", "manager", "managers", "misc"}


def python_files() -> list[Path]:
    """Every Python file that git knows or would add, so a stray build folder does not count."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return [ROOT / name for name in names if name.split("/")[0] in PACKAGES and (ROOT / name).is_file()]


def line_limit(path: Path) -> int:
    may_be_long = {"models", "trainers"} & set(path.relative_to(ROOT).parts) or path.is_relative_to(ROOT / "tests")
    return LONG_FILE_LINES if may_be_long else FILE_LINES


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def count_lines(path: Path) -> int:
    return path.read_text().count("\n")


def test_the_walk_sees_the_project():
    seen = {str(path.relative_to(ROOT)) for path in python_files()}
    assert {"shared/errors.py", "deploy/up.py", "tests/house/test_sizes.py"} <= seen


def test_files_are_short():
    long = [
        f"{path.relative_to(ROOT)}: {count_lines(path)} > {line_limit(path)}"
        for path in python_files()
        if count_lines(path) > line_limit(path)
    ]
    assert not long, "\n".join(long)


def test_the_median_file_is_short():
    lines = sorted(count_lines(path) for path in python_files() if count_lines(path))
    assert lines[len(lines) // 2] <= MEDIAN_LINES


def test_functions_are_short():
    long = [
        f"{path.relative_to(ROOT)}: {name} has {lines} lines"
        for path in python_files()
        for name, lines in functions(path)
        if lines > FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


def test_no_file_is_named_for_nothing():
    empty = [path.relative_to(ROOT) for path in python_files() if BANNED_NAMES & {path.stem, *path.parent.parts}]
    assert not empty
