"""API keys: stored hashed in SQLite, printed once.

    python -m gateway.keys create NAME [--limit requests=60 tokens=100000]
    python -m gateway.keys list | revoke ID | rotate ID

A running gateway sees a change within a second. Limits are per minute.
"""

import argparse
import hashlib
import json
import secrets
import sqlite3
import sys
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request

from gateway.db import connect
from gateway.settings import Settings
from shared.errors import NotFound, Unauthorized

SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    limits TEXT NOT NULL,
    created INTEGER NOT NULL,
    revoked INTEGER
)
"""
RECHECK_S = 1.0
FROM_ENVIRONMENT = "key_environment"
SHORTEST = 16
"""Characters of a secret that an operator chose: shorter ones can be guessed."""
LIMITED = ("requests", "tokens", "images")


@dataclass(frozen=True)
class Key:
    id: str
    name: str
    limits: dict[str, int] = field(default_factory=dict[str, int])
    """requests, tokens, images: per minute."""


LOCAL = Key("local", "local")
"""The caller while no key exists."""
CALLER: ContextVar[Key] = ContextVar("caller", default=LOCAL)


def caller(request: Request) -> Key:
    """FastAPI dependency: the key that the request came with."""
    return request.scope["state"]["key"]


class KeyStore:
    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        with db:
            db.execute(SCHEMA)
        self.by_hash: dict[str, Key] = {}
        self.any = False
        self.checked = time.monotonic()
        self.version = (-1, -1)
        self._load()

    def authenticate(self, authorization: bytes | None) -> Key:
        """The key in an Authorization header; LOCAL while none was ever made. Raises Unauthorized."""
        now = time.monotonic()
        if now - self.checked > RECHECK_S:
            self.checked = now
            self._load()
        if not self.any:
            return LOCAL
        scheme, _, token = (authorization or b"").partition(b" ")
        if scheme.lower() != b"bearer" or not token:
            raise Unauthorized("an API key is needed: send the header `Authorization: Bearer <key>`")
        key = self.by_hash.get(hashlib.sha256(token.strip()).hexdigest())
        if key is None:
            raise Unauthorized("the API key is not valid")
        return key

    def find(self, id: str) -> Key:
        """The key with this id, without limits of its own when it was revoked since."""
        known = {LOCAL.id: LOCAL, **{key.id: key for key in self.by_hash.values()}}
        return known.get(id, Key(id, id))

    def create(self, name: str, limits: dict[str, int]) -> tuple[Key, str]:
        """A new key and its secret, which is not kept."""
        secret = _secret()
        key = Key(f"key_{secrets.token_hex(6)}", name, limits)
        row = (key.id, name, _hash(secret), secret[-4:], json.dumps(limits), int(time.time()))
        with self.db:
            self.db.execute("INSERT INTO keys (id, name, hash, hint, limits, created) VALUES (?, ?, ?, ?, ?, ?)", row)
        return key, secret

    def keep(self, secret: str) -> None:
        """The key whose secret the environment holds. Another secret replaces the one before; what it owns stays.

        Raises ValueError when `secret` is too short.
        """
        if len(secret) < SHORTEST:
            raise ValueError(f"GATEWAY_API_KEY has {len(secret)} characters; at least {SHORTEST} are needed")
        made_before = self.db.execute(
            "SELECT 1 FROM keys WHERE hash = ? AND id != ?", (_hash(secret), FROM_ENVIRONMENT)
        ).fetchone()
        if made_before:  # by `create`: the same shell holds it for the clients
            return
        with self.db:
            self.db.execute(
                "INSERT INTO keys (id, name, hash, hint, limits, created) VALUES (?, 'environment', ?, ?, '{}', ?) "
                "ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, hint = excluded.hint, revoked = NULL",
                (FROM_ENVIRONMENT, _hash(secret), secret[-4:], int(time.time())),
            )
        self._load()

    def revoke(self, id: str) -> None:
        """From now on the key is refused. What it owns stays; so does the need for a key."""
        self._update(id, "revoked = ?", int(time.time()))

    def rotate(self, id: str) -> str:
        """A new secret for the same key; the old one is refused from now on."""
        secret = _secret()
        self._update(id, "hash = ?, hint = ?", _hash(secret), secret[-4:])
        return secret

    def rows(self) -> list[tuple[Any, ...]]:
        """(id, name, hint, limits, created, revoked), oldest first."""
        query = "SELECT id, name, hint, limits, created, revoked FROM keys ORDER BY created, rowid"
        return self.db.execute(query).fetchall()

    def _update(self, id: str, change: str, *values: object) -> None:
        with self.db:
            done = self.db.execute(f"UPDATE keys SET {change} WHERE id = ? AND revoked IS NULL", (*values, id))
        if not done.rowcount:
            raise NotFound(f"there is no active key {id!r}", code="key_not_found")

    def _load(self) -> None:
        """Read the table if another connection wrote (`data_version`), or this one did (`total_changes`)."""
        version = (self.db.execute("PRAGMA data_version").fetchone()[0], self.db.total_changes)
        if version == self.version:
            return
        self.version = version
        rows = self.db.execute("SELECT id, name, hash, limits, revoked FROM keys").fetchall()
        self.any = bool(rows)
        self.by_hash = {row[2]: Key(row[0], row[1], json.loads(row[3])) for row in rows if row[4] is None}


def _secret() -> str:
    return "sk-" + secrets.token_urlsafe(32)


def _hash(secret: str) -> str:
    """Plain SHA-256 is enough: 256 random bits cannot be guessed, however fast the hash is."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _limit(text: str) -> tuple[str, int]:
    name, _, amount = text.partition("=")
    if name not in LIMITED or not amount.isdigit() or int(amount) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of " + ", ".join(f"{name}=N" for name in LIMITED))
    return name, int(amount)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m gateway.keys", description="API keys of the gateway")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create", help="make a key and print it once")
    create.add_argument("name")
    create.add_argument(
        "--limit", nargs="+", action="extend", type=_limit, default=[], metavar="requests=N|tokens=N|images=N"
    )
    commands.add_parser("list", help="all keys, without their secrets")
    for name in ("revoke", "rotate"):
        commands.add_parser(name).add_argument("id")
    asked = parser.parse_args(arguments)
    store = KeyStore(connect(Settings().data_dir / "gateway.db"))
    try:
        _run(store, asked)
    except NotFound as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(store: KeyStore, asked: argparse.Namespace) -> None:
    if asked.command == "create":
        key, secret = store.create(asked.name, dict(asked.limit))
        print(f"{key.id}  {key.name}\n{secret}\nThis is shown once: keep it. From now on every request needs a key.")
    elif asked.command == "rotate":
        print(f"{store.rotate(asked.id)}\nThis is shown once: keep it. The old one is refused from now on.")
    elif asked.command == "revoke":
        store.revoke(asked.id)
        print(f"{asked.id} is revoked")
    else:
        for id, name, hint, limits, created, revoked in store.rows():
            day = time.strftime("%Y-%m-%d", time.gmtime(created))
            state = "revoked" if revoked else " ".join(f"{n}={v}/min" for n, v in json.loads(limits).items()) or "-"
            print(f"{id}  sk-…{hint}  {day}  {state:<28} {name}")


if __name__ == "__main__":
    sys.exit(main())
