"""python -m shared.registry list|show|promote|rollback|delete|gc: the published models of DATA_DIR.

A running service sees every change at its next request.
"""

import argparse
import sys
import time
from pathlib import Path

from shared import registry
from shared.errors import InvalidRequest, ServiceError
from shared.registry import Version
from shared.settings import SharedSettings


def main(arguments: list[str] | None = None) -> int:
    asked = parse(arguments)
    try:
        _run(asked, SharedSettings().data_dir)
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m shared.registry", description="published models")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every model and the version that it serves")
    show = commands.add_parser("show", help="the versions of a model; with --json all that is known of one")
    show.add_argument("name", help="ft:gpt2:acme:ads, or one version of it as ft:gpt2:acme:ads:3")
    show.add_argument("--json", action="store_true")
    promote = commands.add_parser("promote", help="serve this version from now on")
    promote.add_argument("name", help="with its version, as ft:gpt2:acme:ads:3")
    commands.add_parser("rollback", help="serve what was served before").add_argument("name")
    delete = commands.add_parser("delete", help="a version, or without one the model with all its versions")
    delete.add_argument("name")
    gc = commands.add_parser("gc", help="delete old versions that nothing needs")
    gc.add_argument("--keep", type=_count, default=3, metavar="N", help="versions to keep of each model (default 3)")
    gc.add_argument("--dry-run", action="store_true", help="only say what would go")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1")
    return int(text)


def _run(asked: argparse.Namespace, data_dir: Path) -> None:
    if asked.command == "list":
        for version in registry.list_models(data_dir):
            print(_line(version))
    elif asked.command == "show":
        _show(data_dir, asked.name, asked.json)
    elif asked.command == "promote":
        chosen = registry.resolve(data_dir, asked.name)
        if chosen.name == asked.name:
            raise InvalidRequest(f"name the version too: {chosen.id}")
        print(_line(registry.promote(data_dir, chosen.name, chosen.version)))
    elif asked.command == "rollback":
        print(_line(registry.roll_back(data_dir, asked.name)))
    elif asked.command == "delete":
        registry.delete(data_dir, asked.name)
        print(f"{asked.name} is deleted")
    else:
        for version in registry.collect(data_dir, asked.keep, asked.dry_run):
            print(f"{version.id} {'would be' if asked.dry_run else 'is'} deleted")


def _show(data_dir: Path, name: str, as_json: bool) -> None:
    if as_json:
        print(registry.describe(registry.resolve(data_dir, name)).model_dump_json(indent=2))
        return
    found = registry.resolve(data_dir, name)
    for version in registry.versions(data_dir, found.name) if found.name == name else [found]:
        print(_line(version))


def _line(version: Version) -> str:
    card = version.card
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(card["created"]))
    loss = card.get("metrics", {}).get("loss")
    made = [card.get("trainer", "-"), f"loss {loss:.4f}" if loss else "", f"on {version.base}" if version.base else ""]
    return f"{'*' if version.served else ' '} {version.id:<40} {when}  {' '.join(part for part in made if part)}"


if __name__ == "__main__":
    sys.exit(main())
