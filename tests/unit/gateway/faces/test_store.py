"""What is kept is whole, and what is deleted has left the disk."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.db import connect
from gateway.faces.store import FaceStore, StoredFace
from shared.errors import NotFound, StorageFull

BOX = (1.5, 2.0, 30.0, 31.0)
KILLED = """
import os, sys
from pathlib import Path
from gateway.db import connect
from gateway.faces.store import FaceStore
folder = Path(sys.argv[1])
store = FaceStore(folder / "faces", connect(folder / "gateway.db"))
draft = store.draft(100)
draft.write(b"half a face")
draft.seal()
if sys.argv[2] == "named":
    store.blobs.keep(draft, "face_without_a_row")
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def store(tmp_path: Path) -> FaceStore:
    return FaceStore(tmp_path / "faces", connect(tmp_path / "gateway.db"))


def put(store: FaceStore, data: bytes = b"png", key_id: str = "me") -> StoredFace:
    with store.draft(1000) as draft:
        draft.write(data)
        draft.seal()
        return store.put(key_id, draft, 40, 50, BOX)


def names(store: FaceStore) -> list[str]:
    return sorted(path.name for path in store.blobs.folder.iterdir())


def test_what_is_put_can_be_read(store: FaceStore):
    face = put(store)
    found, opened = store.open("me", face.id)
    with opened:
        store.delete("me", face.id)
        assert opened.read() == b"png"  # who reads already reads on
    assert found == face == StoredFace(face.id, "me", face.created, 3, 40, 50, *BOX)
    assert face.box == BOX and names(store) == []


def test_another_key_sees_nothing(store: FaceStore):
    face = put(store)
    for call in (store.get, store.open, store.delete):
        with pytest.raises(NotFound) as error:
            call("you", face.id)
        assert (error.value.code, error.value.param) == ("face_not_found", "face_id")
    assert store.list("you", None, 10, "desc") == ([], False) and names(store) == [face.id]


def test_pages(store: FaceStore):
    ids = [put(store).id for _ in range(5)]
    put(store, key_id="you")
    seen, more, after = [], True, None
    while more:
        found, more = store.list("me", after, 2, "asc")
        seen += [face.id for face in found]
        after = seen[-1]
    assert seen == ids
    assert [face.id for face in store.list("me", ids[4], 10, "desc")[0]] == ids[3::-1]
    with pytest.raises(NotFound) as error:
        store.list("me", "face_none", 2, "asc")
    assert error.value.param == "after"


def test_a_deleted_face_is_nowhere_on_the_disk(store: FaceStore, tmp_path: Path):
    pixels = b"".join(bytes([i % 251, (i * 7) % 253]) for i in range(400))
    kept = put(store, b"another person")
    face = put(store, pixels)
    store.delete("me", face.id)
    left = b"".join(path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file())
    assert b"another person" in left and kept.id.encode() in left
    assert not any(pixels[i : i + 40] in left for i in range(0, len(pixels), 20))


def test_a_row_whose_bytes_are_gone_is_not_found(store: FaceStore):
    face = put(store)
    store.blobs.remove(face.id)
    with pytest.raises(NotFound):
        store.open("me", face.id)
    store.delete("me", face.id)


def test_a_row_that_cannot_be_written_leaves_no_bytes(store: FaceStore):
    store.db.execute("DROP TABLE faces")
    with pytest.raises(sqlite3.OperationalError):
        put(store)
    assert names(store) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_said_and_leaves_nothing(store: FaceStore):
    with pytest.raises(StorageFull), store.draft(2 << 20) as draft:
        draft.file.close()
        draft.file = Path("/dev/full").open("wb")  # noqa: SIM115 - the draft closes it
        draft.write(b"x" * 10)
        draft.seal()
    assert names(store) == []


@pytest.mark.parametrize("how", ["draft", "named"])
def test_what_a_killed_gateway_left_is_removed_at_the_next_start(tmp_path: Path, store: FaceStore, how: str):
    kept = put(store)
    root = Path(__file__).resolve().parents[4]
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), how], cwd=root)
    assert len(names(store)) == 2
    again = FaceStore(tmp_path / "faces", connect(tmp_path / "gateway.db"))
    assert names(again) == [kept.id] and again.list("me", None, 10, "desc") == ([kept], False)
