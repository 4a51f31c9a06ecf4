"""What a family's text encoders say of captions, kept for training."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ml_image import loading
from ml_image.catalog import FAMILIES
from ml_image.data import conditions
from ml_image.data.captioned import Captioned
from ml_image.data.pictures import Brought
from ml_image.families.family import Wanted
from ml_image.sources import Sources
from tests.unit.ml_image.training import settings


@pytest.mark.parametrize("family", FAMILIES)
def test_is_what_the_service_tells_the_network(tmp_path: Path, tiny: Callable[..., Path], family: str) -> None:
    rows = [Captioned(caption, "row", b"") for caption in ("a red shoe", "a boat", "a red shoe")]
    pictures = Brought(rows, [(32, 48), (32, 32), (32, 48)])
    pipe = loading.load(Sources(settings(tmp_path)).fetch(str(tiny(family))), settings(tmp_path)).pipe
    numbers = conditions.prepare(pictures, pipe, tmp_path)
    assert numbers.shape == (3, 2, 1) and (numbers[0] == numbers[2]).all() and (numbers[0] != numbers[1]).all()
    said = conditions.Said(tmp_path)
    row = FAMILIES[family]
    with torch.no_grad():
        passes = row.encode(pipe, Wanted("a red shoe", "", 7.0 if row.negative else 1.0, 32, 48))
    for place, other in ((0, passes[-1]), (1, passes[0])) if row.negative else ((0, passes[0]),):
        own = said(torch.from_numpy(numbers[:1, place]))
        assert own.keys() == other.keys()
        for name, value in other.items():
            torch.testing.assert_close(own[name], value.float(), atol=2e-3, rtol=2e-3)
