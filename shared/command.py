"""A pydantic model as a command line: its fields are the options, their descriptions the help."""

import sys
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

Args = TypeVar("Args", bound=BaseModel)


def parse(args_type: type[Args], options: list[str], program: str, about: str) -> Args:
    """Args from the command line alone: neither the environment nor .env sets an option. Exits 2 on a bad one."""

    class Command(args_type, BaseSettings):  # type: ignore[misc, valid-type]  # pyright: ignore[reportGeneralTypeIssues, reportUntypedBaseClass]
        model_config = SettingsConfigDict(
            cli_prog_name=program,
            cli_kebab_case=True,
            cli_implicit_flags=True,
            cli_hide_none_type=True,
            cli_avoid_json=True,
            extra="forbid",
        )

        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (init_settings,)

    Command.__doc__ = about
    try:
        command = cast(Any, Command)(_cli_parse_args=options)
    except ValidationError as error:
        for problem in error.errors():
            where = str(problem["loc"][0]).replace("_", "-") if problem["loc"] else "options"
            print(f"--{where}: {problem['msg']}", file=sys.stderr)
        raise SystemExit(2) from error
    return args_type(**command.model_dump())
