"""Beam search as a request asks for it, in vLLM's and transformers' terms."""

from typing import TYPE_CHECKING

from shared.errors import InvalidRequest
from shared.wire.text import TextRequest

if TYPE_CHECKING:
    from ml_text.job import Beams

DEFAULT_BEAMS = 4
"""Where only `use_beam_search` is given: what summaries are mostly made with."""


def is_searched(body: TextRequest) -> bool:
    if body.use_beam_search is None:
        return (body.num_beams or 1) > 1
    return body.use_beam_search


def beams_of(body: TextRequest, answers: int, calls: object = None) -> "Beams | None":
    """The search, if one is asked for; InvalidRequest naming the field that does not go together with it.

    Beams are followed, not drawn: temperature, top_p, top_k and seed have no effect.
    """
    from ml_text.job import Beams

    if not is_searched(body):
        for name in ("length_penalty", "early_stopping"):
            if getattr(body, name):
                raise InvalidRequest(f"{name} is of beam search; ask for that with num_beams", param=name)
        return None
    width = body.num_beams or getattr(body, "best_of", None) or max(answers, DEFAULT_BEAMS)
    if answers > width:
        raise InvalidRequest(f"n is {answers}, and {width} beams have no more answers", param="n")
    logprobs = getattr(body, "logprobs", None)
    refused = {
        "tools": calls is not None,
        "response_format": body.response_format is not None and body.response_format.type != "text",
        "logprobs": logprobs is not None and logprobs is not False,
    }
    for name in [name for name, asked in refused.items() if asked]:
        raise InvalidRequest(f"{name} does not go together with beam search", param=name)
    penalty = 1.0 if body.length_penalty is None else body.length_penalty
    return Beams(width, answers, penalty, body.early_stopping or False)
