"""What every Python client's checks get: the names of the models to talk to."""

import os

import pytest


@pytest.fixture(scope="session")
def model() -> str:
    return os.environ["CHAT_MODEL"]


@pytest.fixture(scope="session")
def embedding_model() -> str:
    return os.environ["EMBEDDING_MODEL"]
