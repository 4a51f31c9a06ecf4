"""A gateway's settings for either provider, with a fake behind it: the same tests run over both."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.settings import MODALITIES, Settings
from tests.fakes.process import openai_server

PROVIDERS = ("custom", "openai")
MODELS = {"custom": "starter", "openai": "gpt-4o-mini"}
"""provider -> the model of requests that name none"""


@dataclass(frozen=True)
class Upstreams:
    """Addresses of a stand-in for our text service, and of a fake of OpenAI."""

    custom: str
    openai: str

    def settings(self, provider: str, data_dir: Path, **more: Any) -> Settings:
        values: dict[str, Any] = {
            "model_provider": provider,
            "modalities": {"text": MODALITIES["text"](urls=(self.custom,), model=MODELS[provider])},
            "openai_api_key": "sk-fake",
            "openai_base_url": f"{self.openai}/v1",
            "data_dir": data_dir,
        }
        return Settings(**values | more)


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Upstreams]:
    with openai_server("--service", *arguments) as custom, openai_server(*arguments) as openai:
        yield Upstreams(custom, openai)
