"""Image requests as JSON and as a form's strings."""

from typing import Any

import pytest
from pydantic import ValidationError

from shared.wire.images import EditFields, FacedImageGenerate, ImageEdit, ImageGenerate, ImageVariation


def blamed(error: ValidationError) -> list[tuple[Any, ...]]:
    return [each["loc"] for each in error.errors()]


def test_a_form_says_the_same_as_json() -> None:
    form = {"prompt": "a cup", "n": "2", "stream": "true", "partial_images": "1", "strength": "0.5", "steps": "9"}
    body = {"prompt": "a cup", "n": 2, "stream": True, "partial_images": 1, "strength": 0.5, "steps": 9}
    assert EditFields.model_validate_strings(form) == EditFields.model_validate(body)
    assert ImageVariation.model_validate_strings({"n": "3", "size": "256x256"}).dimensions == (256, 256)


def test_diffusers_names_are_taken_too() -> None:
    asked = ImageGenerate.model_validate({"prompt": "a cup", "num_inference_steps": 9, "guidance_scale": 4})
    assert (asked.steps, asked.guidance) == (9, 4.0)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"prompt": ""}, ("prompt",)),
        ({"n": 0}, ("n",)),
        ({"n": "2"}, ("n",)),
        ({"size": "big"}, ("size",)),
        ({"size": "0x64"}, ("size",)),
        ({"size": "64x64\n"}, ("size",)),
        ({"output_format": "svg"}, ("output_format",)),
        ({"output_compression": 50}, ()),
        ({"background": "transparent", "output_format": "jpeg"}, ()),
        ({"partial_images": 2}, ()),
        ({"svg": {"model": "x"}}, ("svg",)),
        ({"face_id": "face-1"}, ("face_id",)),
        ({"guidance": float("nan")}, ("guidance",)),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(fields: dict[str, Any], place: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as error:
        ImageGenerate.model_validate({"prompt": "a cup"} | fields)
    assert blamed(error.value) == [place]


def test_the_gateway_takes_a_face() -> None:
    asked = FacedImageGenerate.model_validate({"prompt": "x", "face_id": "face-1", "placement": {"x": 0.3}})
    assert asked.placement and asked.placement.x == 0.3 and asked.placement.size is None


@pytest.mark.parametrize("ref", [{}, {"image_url": "data:,", "file_id": "file-1"}])
def test_a_picture_is_named_once(ref: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ImageEdit.model_validate({"prompt": "x", "images": [ref]})
