"""What is measured: right answers count, distances are distances, the judge knows a drawing from another."""

import random

import torch

from ml_image.data.answers import correct, slices
from ml_image.data.attributes import ATTRIBUTES, named, truth
from ml_image.evaluate import frechet, load_judge, nearest, tensor
from ml_image.models.judge import words
from shared import scenes


def test_correct_counts_each_value_of_a_pair() -> None:
    said = torch.zeros(1, sum(len(attribute.values) for attribute in ATTRIBUTES))
    for attribute, part in slices():
        if attribute.key == "Pattern.colors":
            said[0, part.start + attribute.values.index("red")] = 2
            said[0, part.start + attribute.values.index("teal")] = 1
        if attribute.key == "Pattern.style":
            said[0, part.start + attribute.values.index("dots")] = 1
    scores = correct(said, [{"Pattern.colors": ("red", "blue"), "Pattern.style": ("dots",)}])
    assert scores == {"all": 0.6667, "Pattern.colors": 0.5, "Pattern.style": 1.0}


def test_frechet_is_zero_of_the_same_and_grows_with_the_mean() -> None:
    features = torch.randn(400, 6, generator=torch.Generator().manual_seed(0))
    assert abs(frechet(features, features)) < 1e-3
    assert abs(frechet(features, features + 2) - 6 * 4) < 1e-2


def test_the_judge_sees_what_is_drawn() -> None:
    judge, drawn = load_judge(), [scenes.sample(random.Random(900_000 + number)) for number in range(24)]
    captions = [scenes.caption(scene, random.Random(0)) for scene in drawn]
    pictures = tensor([scenes.render(scene, 128, 128).image for scene in drawn])
    with torch.no_grad():
        features = judge.see(pictures)
        scores = correct(judge.answers(features), [truth(scene) for scene in drawn])
        near = judge.embed_pictures(features) @ judge.embed_texts(words(captions)).T
    assert scores["all"] > 0.9
    assert near.diagonal().mean() > near.mean() + 0.3


def test_the_nearest_caption_is_the_own_one() -> None:
    from ml_image.data.pictures import Drawn

    trained = Drawn(50, 128)
    (found,) = nearest([trained.captions(17)[0]])
    scene = truth(trained.scene(17))
    judge = load_judge()
    with torch.no_grad():
        said = judge.answers(judge.see(tensor([found])))
    assert correct(said, [{key: scene[key] for key in named(trained.scene(17), trained.captions(17)[0])}])["all"] > 0.6
