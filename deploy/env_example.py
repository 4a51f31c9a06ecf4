"""Writes .env.example: every variable that the settings read, with its default and what it does; and compose's own."""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from gateway.settings import MODALITIES, Settings
from ml_audio.settings import AudioSettings
from ml_image.settings import ImageSettings
from ml_text.settings import TextSettings
from shared.jobs.settings import WorkerSettings
from shared.settings import SharedSettings

ROOT = Path(__file__).resolve().parent.parent
PARTS: dict[str, type[BaseSettings]] = {
    "gateway, services and workers": SharedSettings,
    "gateway": Settings,
    **{f"gateway: who answers {modality}": read for modality, read in MODALITIES.items()},
    "text service (ml_text)": TextSettings,
    "image service (ml_image)": ImageSettings,
    "audio service (ml_audio)": AudioSettings,
    "workers (shared.jobs.worker)": WorkerSettings,
}
HEAD = """\
# Copy to .env, which `make up` and docker compose read; the environment goes before it. Lines with # show defaults.
# Written by `make env-example` from the settings; docker-compose.yml passes on the variables that it names.
"""
COMPOSE = re.compile(r"\$\{([A-Z_]+)(?::-([^}]*))?")


def variables(settings: type[BaseSettings]) -> Iterator[tuple[str, FieldInfo]]:
    """(name in the environment, field) of each field that is read from there."""
    prefix = settings.model_config.get("env_prefix") or ""
    for name, field in settings.model_fields.items():
        kind = field.annotation
        if name == "modalities" or (isinstance(kind, type) and issubclass(kind, BaseSettings)):
            continue
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from ((f"{prefix}{name}_{inner}".upper(), each) for inner, each in kind.model_fields.items())
            continue
        alias = field.validation_alias
        named = alias.choices[0] if isinstance(alias, AliasChoices) else alias or f"{prefix}{name}".upper()
        yield str(named), field


def default(field: FieldInfo) -> str:
    """As one would write it; nothing for secrets, for what has no default, and for a file of the project's own."""
    value = field.default
    if (
        value is None
        or isinstance(value, SecretStr | dict | tuple)
        or (isinstance(value, Path) and value.is_absolute())
    ):
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def render() -> str:
    lines = [HEAD]
    written: set[str] = set()
    for title, settings in PARTS.items():
        lines.append(f"\n# ---- {title}\n")
        for name, field in variables(settings):
            if name not in written:
                lines.append(f"# {field.description}\n" if field.description else "")
                lines.append(f"# {name}={default(field)}\n")
                written.add(name)
    lines.append("\n# ---- docker compose\n")
    compose = "".join((ROOT / name).read_text() for name in ("docker-compose.yml", "deploy/compose.gpu.yml"))
    for name, value in dict.fromkeys(COMPOSE.findall(compose)):
        if name not in written:
            lines.append(f"# {name}={value}\n")
            written.add(name)
    return "".join(lines)


if __name__ == "__main__":
    (ROOT / ".env.example").write_text(render())
