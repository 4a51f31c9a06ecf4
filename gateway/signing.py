"""Addresses that carry their own permission, for who cannot send a key: an <img> of a front end."""

import hmac
import secrets
import sqlite3
import time
from hashlib import sha256

from shared.errors import Forbidden

SCHEMA = "CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
NAME = "addresses"


class Signer:
    """Signs with a secret that is made once and kept in the gateway's database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        with db:
            db.execute(SCHEMA)
            db.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (NAME, secrets.token_bytes(32)))
        self.secret: bytes = db.execute("SELECT value FROM secrets WHERE name = ?", (NAME,)).fetchone()[0]

    def sign(self, id: str, expires: int) -> str:
        """`expires` in Unix seconds."""
        return hmac.new(self.secret, f"{id}\n{expires}".encode(), sha256).hexdigest()

    def check(self, id: str, expires: int, signature: str) -> None:
        """Raises Forbidden, without saying whether `id` exists."""
        good = hmac.compare_digest(self.sign(id, expires).encode(), signature.encode())
        if not good or expires < time.time():
            raise Forbidden("this address is not valid, or not any more", code="address_expired")
