"""The evaluations of one gateway, over its database, files and providers."""

from collections import deque
from typing import Any

from fastapi import FastAPI

from gateway.db import connect
from gateway.evaluations.runner import Evaluations
from gateway.evaluations.store import EvaluationStore
from gateway.evaluations.texts import Texts
from gateway.modality import Account
from gateway.prices import Prices
from gateway.settings import Settings
from gateway.shadow_store import ShadowStore
from gateway.text import STREAMED
from shared.http import Transport


def open_evaluations(app: FastAPI, account: Account, transport: Transport | None) -> Evaluations:
    settings: Settings = app.state.settings
    path = settings.data_dir / "gateway.db"

    def shadowed(key_id: str, limit: int) -> list[dict[str, Any]]:
        store = ShadowStore(path)  # in a thread of its own, so with a connection of its own
        try:
            said = (record for record in store.every(key_id) if record["path"] in STREAMED)  # pictures are none
            return list(deque(said, maxlen=limit))
        finally:
            store.close()

    texts = Texts(settings, account, transport)
    return Evaluations(EvaluationStore(connect(path)), app.state.files, texts, shadowed, Prices(settings.prices))
