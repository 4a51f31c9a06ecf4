"""Tokens to text as they come: never half a character, never a part of a stop string."""

from collections.abc import Sequence
from typing import Any

BROKEN = "\ufffd"
LONGEST_CHARACTER = 4
"""Bytes in a UTF-8 character, so the most tokens that may wait for its end."""


class TextStream:
    """One answer's text. `push` returns what may be sent; once `stopped`, nothing follows."""

    def __init__(self, tokenizer: Any, stop: Sequence[str] = ()) -> None:
        self._decode = _decoder(tokenizer)
        self._stop = [text for text in stop if text]
        self._ids: list[int] = []  # the last few tokens: context, then what is not yet text
        self._known = 0  # how many of `_ids` are text already
        self._held = ""  # text that may be the beginning of a stop string
        self.stopped = False

    def push(self, token: int) -> str:
        self._ids.append(token)
        known = self._decode(self._ids[: self._known])
        text = self._decode(self._ids)
        waiting = len(self._ids) - self._known
        if text.endswith(BROKEN) and waiting < LONGEST_CHARACTER:
            return ""
        # one token of context keeps the spaces that some tokenizers put between words, not in them
        self._ids, self._known = self._ids[-waiting:], waiting
        return self._release(text[len(known) :])

    def finish(self) -> str:
        """The rest, once the last token has come. Half a character is left out."""
        if self.stopped:
            return ""
        rest = self._decode(self._ids)[len(self._decode(self._ids[: self._known])) :]
        text = self._release(rest.rstrip(BROKEN))
        held, self._held = self._held, ""
        return text if self.stopped else text + held

    def would_stop(self, ids: Sequence[int]) -> bool:
        """Whether the newest of a whole answer's `ids` completes a stop string."""
        if not self._stop:
            return False
        tail = self._decode(list(ids[-LONGEST_CHARACTER * max(map(len, self._stop)) :]))
        return any(stop in tail for stop in self._stop)

    def whole(self, ids: Sequence[int]) -> str:
        """The text of a whole answer, up to a stop string."""
        text = self._decode(list(ids)).rstrip(BROKEN)
        return text[: min([len(text), *(at for stop in self._stop if (at := text.find(stop)) >= 0)])]

    def _release(self, text: str) -> str:
        if self.stopped or not self._stop:
            return "" if self.stopped else text
        text = self._held + text
        found = [at for stop in self._stop if (at := text.find(stop)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = max(_overlap(text, stop) for stop in self._stop)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that begins `stop`."""
    for size in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:size]):
            return size
    return 0


def _decoder(tokenizer: Any) -> Any:
    fast = getattr(tokenizer, "backend_tokenizer", None)
    if fast is not None:  # without the Python layers: 5 µs instead of 40
        return lambda ids: fast.decode(ids, skip_special_tokens=True)
    return lambda ids: tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
