from pathlib import Path

import pytest

from gateway.db import connect
from gateway.keys import LOCAL, KeyStore, main
from shared.errors import NotFound, Unauthorized


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(connect(tmp_path / "gateway.db"))


def bearer(secret: str) -> bytes:
    return f"Bearer {secret}".encode()


def look_again(store: KeyStore) -> None:
    """As if a second had passed."""
    store.checked = float("-inf")


def test_without_any_key_the_caller_is_local(store: KeyStore) -> None:
    assert store.authenticate(None) == LOCAL == store.authenticate(bearer("whatever"))


def test_a_key_is_known_by_its_secret_alone(store: KeyStore) -> None:
    key, secret = store.create("one", {"requests": 5})
    look_again(store)
    assert store.authenticate(bearer(secret)) == key and key.limits == {"requests": 5}
    for wrong in (None, b"", b"Bearer", bearer(""), bearer(secret[:-1]), secret.encode(), b"Basic " + secret.encode()):
        with pytest.raises(Unauthorized):
            store.authenticate(wrong)


def test_the_secret_is_not_stored(store: KeyStore, tmp_path: Path) -> None:
    _, secret = store.create("one", {})
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert secret.encode() not in (tmp_path / "gateway.db").read_bytes()


def test_another_process_change_is_seen_within_a_second(store: KeyStore, tmp_path: Path) -> None:
    key, secret = KeyStore(connect(tmp_path / "gateway.db")).create("one", {})
    assert store.authenticate(None) == LOCAL  # not looked yet
    look_again(store)
    assert store.authenticate(bearer(secret)) == key
    KeyStore(connect(tmp_path / "gateway.db")).revoke(key.id)
    look_again(store)
    with pytest.raises(Unauthorized):
        store.authenticate(bearer(secret))
    with pytest.raises(Unauthorized):  # a revoked key does not open the door again
        store.authenticate(None)


def test_the_environments_key_can_be_replaced_and_keeps_its_identity(store: KeyStore) -> None:
    store.keep("a secret of an operator")
    key = store.authenticate(bearer("a secret of an operator"))
    store.keep("another secret of theirs")
    assert store.authenticate(bearer("another secret of theirs")) == key
    with pytest.raises(Unauthorized):
        store.authenticate(bearer("a secret of an operator"))


def test_the_environment_may_name_a_key_that_exists_but_no_guessable_one(store: KeyStore) -> None:
    key, secret = store.create("one", {})
    store.keep(secret)
    look_again(store)
    assert store.authenticate(bearer(secret)) == key and len(store.rows()) == 1
    store.revoke(key.id)
    store.keep(secret)
    look_again(store)
    with pytest.raises(Unauthorized):
        store.authenticate(bearer(secret))
    with pytest.raises(ValueError, match="at least 16"):
        store.keep("secret")


def test_rotating_keeps_the_identity(store: KeyStore) -> None:
    key, old = store.create("one", {})
    new = store.rotate(key.id)
    look_again(store)
    assert store.authenticate(bearer(new)) == key
    with pytest.raises(Unauthorized):
        store.authenticate(bearer(old))
    with pytest.raises(NotFound):
        store.rotate("key_unknown")


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert main(["create", "front end", "--limit", "requests=60", "tokens=1000"]) == 0
    first, secret, *_ = capsys.readouterr().out.splitlines()
    id = first.split()[0]
    store = KeyStore(connect(tmp_path / "gateway.db"))
    assert store.authenticate(bearer(secret)).limits == {"requests": 60, "tokens": 1000}
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert id in listed and "front end" in listed and "requests=60/min" in listed and secret not in listed
    assert main(["revoke", id]) == 0 and main(["revoke", id]) == 1
    assert "no active key" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["create", "x", "--limit", "requests=none"])


def test_a_reader_and_a_writer_do_not_lock_each_other_out(tmp_path: Path) -> None:
    reader, writer = connect(tmp_path / "a.db"), connect(tmp_path / "a.db")
    writer.execute("CREATE TABLE t (x)")
    with writer:
        writer.execute("INSERT INTO t VALUES (1)")
        assert reader.execute("SELECT x FROM t").fetchall() == []  # reads at once, the state before
    assert reader.execute("SELECT x FROM t").fetchall() == [(1,)]
