"""What the documents and the build files promise is there."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from deploy import env_example, extras, lock

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def pins() -> list[str]:
    return [line for line in (ROOT / "requirements.lock").read_text().splitlines() if line and line[0] != "#"]


def test_readme_names_the_two_commands():
    assert "make up" in README and "make test" in README


def test_every_make_target_in_the_documents_exists():
    wanted = {
        target
        for path in tracked("*.md", "*.py", ".ci/run")
        for target in re.findall(r"(?:`|^    |^)make ([a-z][a-z-]*)(?=`|$|\s+#)", path.read_text(), re.MULTILINE)
    }
    assert {"up", "test", "check"} <= wanted
    assert wanted <= TARGETS


def test_every_module_in_the_documents_exists():
    names = {
        name for path in tracked("*.md") for name in re.findall(r"python -m ([a-z_][a-z_.]*[a-z_])", path.read_text())
    } - {"pytest", "venv", "pip"}
    missing = [
        name
        for name in names
        if not (ROOT / (name.replace(".", "/") + ".py")).is_file()
        and not (ROOT / name.replace(".", "/") / "__main__.py").is_file()
    ]
    assert not missing


def test_every_folder_and_file_in_the_readmes_tree_exists():
    tree = re.search(r"```\n(README\.md .*?)```", README, re.DOTALL)
    assert tree, "README has the tree"
    names = re.findall(r"^([\w./-]+)", tree.group(1), re.MULTILINE)
    assert len(names) > 10
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_sections_and_decisions_stand_apart_and_once():
    """What two branches wrote at the same place is easily joined wrongly."""
    for path in tracked("*.md"):
        prose = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
        assert re.findall(r"[^\n]\n(#+ .*)", prose) == [], path
        titles = re.findall(r"^#+ .*", prose, re.MULTILINE)
        assert len(titles) == len(set(titles)), path
    decisions = (ROOT / "DECISIONS.md").read_text()
    assert re.findall(r"[^\n]\n(\*\*.*)", decisions) == []
    names = re.findall(r"^\*\*(.*?)\*\*", decisions, re.MULTILINE)
    assert len(names) > 50 and len(names) == len(set(names))


def test_every_setting_in_the_readme_is_read_somewhere():
    """A variable that no settings file or script knows would be a promise without effect."""
    cells = re.findall(r"^\| (`[A-Z][^|]*) \|", README, re.MULTILINE)
    names = {name for cell in cells for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", cell)}
    assert {"MODEL_PROVIDER", "GATEWAY_PORT"} <= names
    code = "\n".join(path.read_text().lower() for path in tracked("*.py", "Makefile", ".env.example"))
    prefixes = ("ml_text_", "ml_image_", "gateway_", "worker_")  # settings with an env_prefix spell the rest only
    unknown = [
        name
        for name in names
        if not any(
            re.search(rf"\b{re.escape(spelling)}\b", code)
            for spelling in {name.lower(), *(name.lower().removeprefix(prefix) for prefix in prefixes)}
        )
    ]
    assert not unknown


def test_ci_runs_what_the_readme_says_and_nothing_else():
    lines = [line for line in (ROOT / ".ci/run").read_text().splitlines() if line and not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "$0")/.."', "make test"]


def test_make_runs_by_path_only_what_imports_nothing_of_ours():
    """A script that is run by its path finds the packages beside it, not those of the project: others go by `-m`."""
    by_path = re.findall(r"\$\(BIN\)/python (\S+\.py)", (ROOT / "Makefile").read_text())
    assert "deploy/up.py" in by_path
    ours = re.compile(r"^ *(?:from|import) (?:deploy|gateway|shared|ml_\w+|benchmarks)\b", re.MULTILINE)
    assert [path for path in by_path if ours.search((ROOT / path).read_text())] == []


def test_lock_pins_every_package_and_torch_first():
    assert pins()[0] == "torch==2.13.0"
    assert [line for line in pins() if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*==[\w.]+", line)] == []


def test_lock_is_what_the_extras_need():
    """Also fails when .venv holds other versions than the lock: then what was tested is not what gets installed."""
    assert pins() == [line for line in lock.render(lock.closure()).splitlines() if line[0] != "#"]


def test_env_example_is_what_the_settings_read():
    assert (ROOT / ".env.example").read_text() == env_example.render(), "run: make env-example"


def test_images_install_every_requirement_of_their_extras():
    """The script that runs inside an image build, against packaging's own reading."""
    wanted = {str(requirement) for requirement in lock.wanted()}
    every = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {line for extra in every for line in extras.requirements([extra])}
    assert {str(Requirement(line.partition("#")[0])) for line in names} == wanted


def test_the_engine_is_sent_what_an_image_copies():
    sent = set(re.findall(r"^!(\w+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = set(re.findall(r"SERVICE: (\w+)", (ROOT / "docker-compose.yml").read_text()))
    assert "gateway" in copied and copied | {"shared"} == sent


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"trust_remote_code\s*=\s*True", "runs code that a stranger uploaded"),
        (r"/(home|root|Users|work)/\w", "a path of somebody's machine"),
        (r"except (Base)?Exception:\s*\n\s*pass\b", "hides every error"),
        (r"\bsk-[A-Za-z0-9]{20,}", "looks like a real key"),
    ],
)
def test_nothing_forbidden_is_written_anywhere(pattern: str, why: str):
    here = Path(__file__).resolve()
    texts = [path for path in tracked("*.py", "*.md", "*.toml", "*.lock", "Makefile", ".ci/run") if path != here]
    found = [str(path.relative_to(ROOT)) for path in texts if re.search(pattern, path.read_text())]
    assert not found, why
