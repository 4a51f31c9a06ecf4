"""Which pixels around a face belong to the person: where bodies are, which colors hers has, and where edges run.

As in GrabCut (Rother et al. 2004, https://doi.org/10.1145/1015706.1015720) two mixtures of Gaussians learn the colors
of person and background in turns with the cut. Three things differ, since nobody draws a rectangle here: the mixtures
know the place of a color as well (a flag's blue is not a jacket's), every pixel has a prior from the proportions of a
body, and the matting Laplacian takes the place of the graph cut, so that the answer is soft.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from shared.faces.laplacian import Laplacian
from shared.faces.types import Box, Floats, Pixels

BELIEF = (1.0, 0.8, 0.6, 0.6)
"""The prior's weight in each round: the better the colors are known, the less a body has to be average."""
LOOKS = (0.97, 1.0, 1.03)
"""Times the width of the detector's box, which is as uncertain as that. Where colors are ambiguous one look can go
wrong, by its box or by its sample of pixels; the mean of three seldom does."""
EXPOSED = 99
"""The percentile of a photo's values that counts as its white."""
PERSON_COLORS, BACKGROUND_COLORS = 6, 24
SAMPLES = 6000
PLACE = 0.8
"""One face width counts as this much of the whole range of lightness."""
SLOPE = 8.5
"""Log odds that the prior gains per face width from its outline."""
MOST_LIKELY = 6.0
COLOR_WEIGHT = 1.2
TRUST = 0.03
RADIUS = 4
STEPS = 40
THINNEST = 0.12
"""Face widths: what is thinner and sticks out (a cord, a pole, a star) is not hers."""
HEAD = (0.57, 0.82)
"""The radii of a head with average hair in face widths, as those of INNER."""
INNER = (0.42, 0.56)
BODY = ((0.40, 0.30), (0.45, 0.62), (0.80, 0.82), (1.25, 1.05), (1.58, 1.60), (1.75, 3.20))
"""An average outline: face widths to the side of and below the middle of the face."""
SURE = ((0.28, 0.40), (0.30, 0.80), (0.55, 1.10), (0.70, 1.80), (0.75, 3.30))


@dataclass(frozen=True)
class Seeds:
    """(H, W) each."""

    prior: Floats  # log odds that a pixel is the person's
    inside: Pixels  # 1 where it surely is
    outside: Pixels  # 1 where it surely is not


def find_person(photo: Pixels, face: Box) -> Floats:
    """(H, W) in [0, 1]: 1 on the person, soft at her edge, for a photo (H, W, 3) of head and chest.

    It is made for faces of some 80 px; smaller and larger ones cost less and more, not better.
    """
    picture = _exposed(photo)
    laplacian = Laplacian(picture, RADIUS)
    looks = [_look(picture, laplacian, face.grown(by), seed) for seed, by in enumerate(LOOKS)]
    return _only_hers(np.mean(looks, 0), face)


def _exposed(photo: Pixels) -> Floats:
    """(H, W, 3) in [0, 1], as bright as it can be, so that a dim copy of a photo gives the same colors."""
    brightest = max(0.1, float(np.percentile(photo, EXPOSED)) / 255)
    return np.minimum(photo.astype(np.float32) / np.float32(255 * brightest), 1)


def _look(picture: Floats, laplacian: Laplacian, face: Box, seed: int) -> Floats:
    seeds, features = _seeds(picture.shape[0], picture.shape[1], face), _features(picture, face)
    chance = np.random.default_rng(seed)  # the same photo has to give the same matte
    expected = 1 / (1 + np.exp(-seeds.prior))
    person, background = (seeds.prior > 1).astype(np.float32), (seeds.prior < -2).astype(np.float32)
    alpha = seeds.prior
    for belief in BELIEF:
        odds = _likelihood(features, _mixture(features, person, PERSON_COLORS, chance))
        odds -= _likelihood(features, _mixture(features, background, BACKGROUND_COLORS, chance))
        odds = COLOR_WEIGHT * np.clip(odds, -MOST_LIKELY, MOST_LIKELY) + belief * seeds.prior
        wanted = 1 / (1 + np.exp(-odds))
        trust = TRUST * np.abs(2 * wanted - 1) + np.float32(1e-4)
        for sure, value in ((seeds.inside, 1), (seeds.outside, 0)):
            wanted[sure > 0], trust[sure > 0] = value, 1
        alpha = np.clip(laplacian.solve(wanted, trust, STEPS), 0, 1)
        # a cord beside the neck that was taken for hers must not teach her colors as a collar does
        person, background = alpha**2 * expected, (1 - alpha) ** 2 * (1 - expected)
    return alpha


def _seeds(height: int, width: int, face: Box) -> Seeds:
    x, y, size = face.center_x, face.center_y, face.width

    def fill(mask: Pixels, outline: tuple[tuple[float, float], ...]) -> None:
        right = [(x + across * size, y + down * size) for across, down in outline]
        left = [(2 * x - at, down) for at, down in reversed(right)]
        cv2.fillPoly(mask, [np.array([*right, *left], np.int32)], 1)

    def oval(mask: Pixels, center_y: float, radii: tuple[float, float]) -> None:
        size_px = (round(radii[0] * size), round(radii[1] * size))
        cv2.ellipse(mask, (round(x), round(center_y)), size_px, 0, 0, 360, 1, -1)

    expected, inside = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    oval(expected, y - 0.13 * size, HEAD)
    fill(expected, BODY)
    oval(inside, y, INNER)
    fill(inside, SURE)
    away = cv2.distanceTransform(1 - expected, cv2.DIST_L2, 5) / size
    prior = np.clip(SLOPE * (cv2.distanceTransform(expected, cv2.DIST_L2, 5) / size - away), -7, 5)
    above = np.arange(height)[:, None] < y - 1.65 * size
    return Seeds(prior.astype(np.float32), inside, ((away > 1) | above).astype(np.uint8))


def _features(picture: Floats, face: Box) -> Floats:
    """(H, W, 5): color in Lab and place relative to the face."""
    height, width = picture.shape[:2]
    lab = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB) / np.float32(100), (0, 0), 0.8)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    scale = PLACE / face.width
    return np.dstack([lab, (x - face.center_x) * scale, (y - face.center_y) * scale]).astype(np.float32)


Gaussian = tuple[float, Floats, Floats]
"""Log weight with the normalizing term, mean (5,), and the factor (5, 5) of the inverse covariance."""


def _mixture(features: Floats, weights: Floats, parts: int, chance: np.random.Generator) -> list[Gaussian]:
    """k-means on a sample drawn by `weights` (H, W), one Gaussian per cluster."""
    share = weights.ravel().astype(np.float64) + 1e-9
    drawn = chance.choice(share.size, SAMPLES, p=share / share.sum())
    sample = features.reshape(-1, features.shape[-1])[drawn]
    cv2.setRNGSeed(1)
    end = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 15, 1e-3)
    _, labels, _ = cv2.kmeans(sample, parts, np.zeros((SAMPLES, 1), np.int32), end, 1, cv2.KMEANS_PP_CENTERS)
    gaussians: list[Gaussian] = []
    for part in range(parts):
        own = sample[labels.ravel() == part]
        if len(own) < 20:
            continue
        covariance = np.cov(own.T) + np.diag([4e-4, 4e-4, 4e-4, 2e-2, 2e-2])
        factor = np.linalg.cholesky(np.linalg.inv(covariance))
        weight = np.log(len(own) / SAMPLES) + np.log(np.diag(factor)).sum()
        gaussians.append((float(weight), own.mean(0), factor.astype(np.float32)))
    return gaussians


def _likelihood(features: Floats, gaussians: list[Gaussian]) -> Floats:
    """Log likelihood (H, W) under the Gaussian that fits best, up to a constant."""
    total = np.full(features.shape[:2], -np.inf, np.float32)
    for weight, mean, factor in gaussians:
        # not numpy's product: its BLAS starts threads for these small matrices, and they wait for each other
        off = cv2.transform(features, np.hstack([factor.T, -(factor.T @ mean)[:, None]]))
        np.maximum(total, np.float32(weight) - np.einsum("hwi,hwi->hw", off, off) / 2, out=total)
    return total


def _only_hers(alpha: Floats, face: Box) -> Floats:
    """The one part around the face, without what is thin, without holes."""
    side = max(3, round(THINNEST * face.width)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    padded = cv2.copyMakeBorder((alpha > 0.5).astype(np.uint8), side, side, side, side, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel)[side:-side, side:-side]
    _, parts = cv2.connectedComponents(opened)
    mine = (parts == parts[int(face.center_y), int(face.center_x)]).astype(np.uint8)
    return _filled(mine).astype(np.float32)


def _filled(mask: Pixels) -> Pixels:
    """Without holes: what the border cannot reach is inside."""
    padded = np.pad(mask, 1)
    flood = padded.copy()
    cv2.floodFill(flood, None, (0, 0), 1)
    return np.maximum(padded, 1 - flood)[1:-1, 1:-1]
