"""A model that is asked as any client would, through the provider that has it."""

import asyncio
from typing import Any

import orjson

from gateway.modality import SPENT
from gateway.prices import Prices
from gateway.text import Text, TextPath
from shared.errors import Overloaded, UpstreamFailed
from shared.evaluation.compare import Answer, Wish
from shared.evaluation.examples import Example

PATIENCE = 5
"""How often a question is asked while the model is overloaded."""


class Remote:
    """A model that is asked as any client would."""

    def __init__(self, text: Text, model: str, prices: Prices) -> None:
        self.text, self.model, self.prices = text, model, prices
        self.name = f"{model} ({text.provider})"

    async def answer(self, example: Example, wish: Wish, seed: int) -> Answer:
        body: dict[str, Any] = {"model": self.model, "temperature": wish.temperature, "seed": seed}
        if wish.raw and example.problem:
            body |= {"prompt": example.problem.prompt, "max_tokens": wish.max_tokens}
            found = await self._ask("completions", body)
        else:
            body |= {"messages": example.messages, "max_completion_tokens": wish.max_tokens}
            if example.response_format:
                body["response_format"] = example.response_format
            found = await self._ask("chat/completions", body)
        try:
            choice = found["choices"][0]
            said = choice["text"] if "text" in choice else choice["message"]["content"]
            spent = SPENT.get()
            if spent is None:
                return Answer(str(said or ""))
            return Answer(str(said or ""), spent.completion_tokens, self.prices.costs(spent)[0])
        except (LookupError, TypeError, ValueError) as error:
            raise UpstreamFailed("the upstream's answer has no message") from error

    async def foretell(self, text: str) -> tuple[float, int]:
        body = {"model": self.model, "prompt": text, "max_tokens": 0, "echo": True, "logprobs": 1}
        found = await self._ask("completions", body)
        try:
            costs = [-float(one) for one in found["choices"][0]["logprobs"]["token_logprobs"] if one is not None]
        except (LookupError, TypeError, ValueError) as error:
            raise UpstreamFailed(f"{self.name} does not tell the log-probabilities of a prompt") from error
        return sum(costs), len(costs)

    async def _ask(self, path: TextPath, body: dict[str, Any]) -> dict[str, Any]:
        for patience in reversed(range(PATIENCE)):
            try:
                return orjson.loads(await self.text.answer(path, body))
            except Overloaded as error:
                if not patience:
                    raise
                await asyncio.sleep(error.retry_after_s or 1.0)
        raise AssertionError("the last one raised")
