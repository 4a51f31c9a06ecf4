"""What is kept is whole, and what is not kept leaves nothing."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.db import connect
from shared.errors import InvalidRequest, NotFound, StorageFull, TooLarge
from shared.files import FileStore, StoredFile
from shared.jsonl import LINE_LIMIT_BYTES, check_jsonl

FULL_DISK = Path("/dev/full")
KILLED = """
import sys, time
from pathlib import Path
from gateway.db import connect
from shared.files import FileStore
folder = Path(sys.argv[1])
with FileStore(folder / "files", connect(folder / "gateway.db")).draft(100) as draft:
    draft.write(b"half")
    draft.seal()
    print("written", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files", connect(tmp_path / "gateway.db"))


def put(store: FileStore, data: bytes = b"x", key_id: str = "me", expires_after_s: int | None = None) -> StoredFile:
    with store.draft(1000) as draft:
        draft.write(data)
        draft.seal()
        return store.put(key_id, draft, "a.txt", "vision", "text/plain", expires_after_s)


def names(store: FileStore) -> list[str]:
    return sorted(path.name for path in store.blobs.folder.iterdir())


def test_what_is_put_can_be_read(store: FileStore):
    file = put(store, b"hello")
    found, opened = store.open("me", file.id)
    store.delete("me", file.id)
    with opened:
        assert opened.read() == b"hello"  # who reads already reads on
    assert found == file and names(store) == []


def test_another_key_sees_nothing(store: FileStore):
    file = put(store)
    for call in (store.get, store.open, store.delete):
        with pytest.raises(NotFound):
            call("you", file.id)
    assert store.list("you", None, 10, "asc") == ([], False)


def test_what_is_too_large_leaves_nothing(store: FileStore):
    with pytest.raises(TooLarge), store.draft(3) as draft:
        draft.write(b"four")
    assert names(store) == []


@pytest.mark.skipif(not FULL_DISK.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("size", [10, 1 << 20])
def test_a_full_disk_is_said_and_leaves_nothing(store: FileStore, size: int):
    with pytest.raises(StorageFull) as full, store.draft(2 << 20) as draft:
        draft.file.close()
        draft.file = FULL_DISK.open("wb")
        draft.write(b"x" * size)
        draft.seal()
    assert full.value.status == 507 and names(store) == []


def test_a_row_that_cannot_be_written_leaves_no_bytes(store: FileStore):
    store.db.execute("DROP TABLE files")
    with pytest.raises(Exception, match="no such table"):
        put(store)
    assert names(store) == []


def test_a_killed_upload_is_cleaned_at_the_next_start_and_a_running_one_is_not(tmp_path: Path, store: FileStore):
    kept = put(store)
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None and process.stdout.readline() == b"written\n"
        store = FileStore(tmp_path / "files", store.db)
        assert len(names(store)) == 2  # it is still being written
        os.kill(process.pid, signal.SIGKILL)
    assert len(names(store)) == 2
    store = FileStore(tmp_path / "files", store.db)
    assert names(store) == [kept.id]


def test_expired_files_are_gone_before_the_sweep_and_their_bytes_after(store: FileStore):
    old, kept = put(store, expires_after_s=-1), put(store, expires_after_s=100)
    with pytest.raises(NotFound):
        store.get("me", old.id)
    assert [file.id for file in store.list("me", None, 10, "asc")[0]] == [kept.id]
    store.expire()
    assert names(store) == [kept.id]


def test_lines_are_checked_without_reading_a_whole_giant(tmp_path: Path):
    check_jsonl(io.BytesIO(b'{"a": 1}\r\n \n{"a": 2}'), "file")
    path = tmp_path / "long"
    with path.open("wb") as file:
        file.truncate(4 * LINE_LIMIT_BYTES)
    with path.open("rb") as file:
        with pytest.raises(InvalidRequest, match="line 1: longer than"):
            check_jsonl(file, "file")
        assert file.tell() <= LINE_LIMIT_BYTES + (1 << 20)
