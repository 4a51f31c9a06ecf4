"""OpenAI's client, which refuses every answer that does not hold to its types."""

from collections.abc import Iterator

import openai
import pytest


@pytest.fixture(scope="session")
def client() -> Iterator[openai.OpenAI]:
    with openai.OpenAI(max_retries=0, timeout=120, _strict_response_validation=True) as made:
        yield made


@pytest.fixture(scope="session")
def lenient() -> Iterator[openai.OpenAI]:
    """As users have it, for answers in which OpenAI itself departs from the client's types.

    Base64 of embeddings is held to a list of floats before it is unpacked; a completion's stream has chunks without
    finish_reason, an echoed first token no log-probability, a file may be for evals, a kept message by the user.
    """
    with openai.OpenAI(max_retries=0, timeout=120) as made:
        yield made
