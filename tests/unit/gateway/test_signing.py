"""Addresses that carry their own permission."""

import time
from pathlib import Path

import pytest

from gateway.db import connect
from gateway.signing import Signer
from shared.errors import Forbidden


def test_a_signature_is_good_for_its_file_and_hour_alone(tmp_path: Path) -> None:
    signer = Signer(connect(tmp_path / "gateway.db"))
    later = int(time.time()) + 60
    signature = signer.sign("file-a", later)
    signer.check("file-a", later, signature)
    Signer(connect(tmp_path / "gateway.db")).check("file-a", later, signature)  # after a restart
    past = int(time.time()) - 1
    for id, expires, said in [
        ("file-b", later, signature),
        ("file-a", later + 1, signature),
        ("file-a", later, ""),
        ("file-a", later, "ü" * 64),
        ("file-a", past, signer.sign("file-a", past)),
    ]:
        with pytest.raises(Forbidden):
            signer.check(id, expires, said)
    with pytest.raises(Forbidden):
        Signer(connect(tmp_path / "other.db")).check("file-a", later, signature)
