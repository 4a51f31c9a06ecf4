"""What a request asks for: its items, all that came before them, and the chat that follows from both."""

from collections.abc import Sequence
from typing import Any

from gateway.responses.chat_body import chat_body
from gateway.responses.items import items_of, kept_item, to_messages
from gateway.responses.store import ResponseStore
from shared.errors import InvalidRequest
from shared.wire.responses import PromptRequest, ResponseRequest

Json = dict[str, Any]


class Prompt:
    """All that the model is to read. Raises InvalidRequest and NotFound, naming the field."""

    def __init__(self, body: PromptRequest, key_id: str, store: ResponseStore) -> None:
        if body.conversation_id is not None and body.previous_response_id is not None:
            raise InvalidRequest("conversation and previous_response_id exclude each other", param="conversation")
        given = _resolved(items_of(body.input), key_id, store)
        past = _past(body, key_id, store)
        self.messages = [*past, *to_messages(given)]
        if not self.messages or body.input in ("", []):
            raise InvalidRequest("`input` must not be empty", param="input")
        self.items = [kept_item(item) for item in given]
        told = [{"role": "system", "content": body.instructions}] if body.instructions else []
        self.chat = chat_body(body, [*told, *self.messages])


class Asked(Prompt):
    """A response to make, and where it is kept."""

    def __init__(self, body: ResponseRequest, key_id: str, store: ResponseStore) -> None:
        super().__init__(body, key_id, store)
        self.body, self.key_id, self.store = body, key_id, store
        if body.background and body.store is False:
            raise InvalidRequest("background needs store: nobody waits for the answer", param="background")

    def begin(self, response: Json) -> None:
        """It will go on in the background."""
        self.store.begin(self.key_id, response, self.items, self.messages)

    def keep(self, response: Json, events: Sequence[bytes]) -> None:
        """The response is over."""
        if self.body.store is False:
            self.store.tell_conversation(response, self.items)
        else:
            messages = [*self.messages, *to_messages(response["output"], "output")]
            self.store.finish(self.key_id, response, self.items, messages, events)


def _past(body: PromptRequest, key_id: str, store: ResponseStore) -> list[Json]:
    if body.previous_response_id is not None:
        if store.status(key_id, body.previous_response_id) in ("queued", "in_progress"):
            raise InvalidRequest("that response has no answer yet", param="previous_response_id")
        return store.messages(key_id, body.previous_response_id)
    if body.conversation_id is not None:
        return to_messages(store.conversations.items(key_id, body.conversation_id, "conversation"), "conversation")
    return []


def _resolved(items: list[Json], key_id: str, store: ResponseStore) -> list[Json]:
    """References to items by the items themselves. Raises InvalidRequest for one that this key does not have."""
    return [
        _find(item, f"input[{place}].id", key_id, store) if _is_reference(item) else item
        for place, item in enumerate(items)
    ]


def _is_reference(item: Json) -> bool:
    kind = item.get("type")
    return kind == "item_reference" or (kind is None and "role" not in item and isinstance(item.get("id"), str))


def _find(item: Json, param: str, key_id: str, store: ResponseStore) -> Json:
    id = str(item.get("id"))
    found = store.output_item(key_id, id) or store.conversations.find_item(key_id, id)
    if found is None:
        raise InvalidRequest(f"there is no item {id[:80]!r}", param=param, code="item_not_found")
    return found
