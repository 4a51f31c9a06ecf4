import asyncio
import json
from pathlib import Path

import pytest

from gateway.names import ModelNames, column, read_aliases
from shared.errors import NotFound, UpstreamFailed


class Provider:
    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.asked = 0
        self.down = False

    async def list(self) -> set[str]:
        self.asked += 1
        await asyncio.sleep(0.01)
        if self.down:
            raise UpstreamFailed("down")
        return set(self.names)


async def test_the_providers_own_name_wins_over_an_alias() -> None:
    names = ModelNames({"a": "b", "x": "b"}, Provider("a", "b").list, closed=True)
    assert [await names.resolve(name) for name in ("a", "b", "x")] == ["a", "b", "b"]


async def test_a_new_model_is_found_at_once_and_known_ones_cost_no_question() -> None:
    provider = Provider("a")
    names = ModelNames({}, provider.list, closed=True)
    for _ in range(100):
        await names.resolve("a")
    assert provider.asked == 1
    provider.names.add("new")
    assert await names.resolve("new") == "new" and provider.asked == 2


async def test_many_unknown_names_share_a_question() -> None:
    provider = Provider("a")
    names = ModelNames({}, provider.list, closed=True)
    await names.resolve("a")
    answers = await asyncio.gather(*(names.resolve(f"no-{i}") for i in range(50)), return_exceptions=True)
    assert all(isinstance(answer, NotFound) for answer in answers) and provider.asked == 2


async def test_a_provider_that_is_down() -> None:
    provider = Provider("a")
    names = ModelNames({}, provider.list, closed=True)
    provider.down = True
    with pytest.raises(UpstreamFailed):
        await names.resolve("a")
    provider.down = False
    assert await names.resolve("a") == "a"
    provider.down, names.fetched = True, float("-inf")
    assert await names.resolve("a") == "a"  # the older list is better than none


async def test_an_open_provider_is_asked_only_when_an_alias_could_hide_a_model() -> None:
    provider = Provider("gpt")
    names = ModelNames({"starter": "gpt", "gpt": "other"}, provider.list, closed=False)
    assert await names.resolve("whatever") == "whatever" and provider.asked == 0
    assert await names.resolve("starter") == "gpt"
    assert await names.resolve("gpt") == "gpt"


def test_the_table_has_a_column_per_provider(tmp_path: Path) -> None:
    path = tmp_path / "aliases.json"
    path.write_text(json.dumps({"gpt-4o-mini": {"custom": "starter"}, "best": {"custom": "ft:a", "openai": "gpt-4o"}}))
    aliases = read_aliases(path)
    assert column(aliases, "custom") == {"gpt-4o-mini": "starter", "best": "ft:a"}
    assert column(aliases, "openai") == {"best": "gpt-4o"}


@pytest.mark.parametrize("text", ["", "[]", '{"a": "b"}', '{"a": {"custom": 1}}'])
def test_a_table_of_another_form_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "aliases.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="MODEL_ALIASES"):
        read_aliases(path)
