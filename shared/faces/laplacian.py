"""The matting Laplacian: what makes an alpha matte follow the colors of its photo.

Within any small window a matte should be an affine function of color (Levin et al. 2008,
https://doi.org/10.1109/TPAMI.2007.1177). For square windows the product of that Laplacian with an image needs box
filters only (He et al. 2010, https://doi.org/10.1109/CVPR.2010.5539896), and its smoothing half is the guided filter
(He et al. 2013, https://doi.org/10.1109/TPAMI.2012.213).
"""

import cv2
import numpy as np

from shared.faces.types import Floats

EPSILON = 1e-4
"""Variance of color in [0, 1]² that counts as an edge."""
TOLERANCE = 1e-3


class Laplacian:
    """Of a picture (H, W, 3) in [0, 1], with windows of `2 * radius + 1` px."""

    def __init__(self, picture: Floats, radius: int, epsilon: float = EPSILON) -> None:
        self.side = 2 * radius + 1
        self.picture = picture - np.float32(0.5)  # around 0, float32 keeps more of a small variance
        self.count = self._sum(np.ones(picture.shape[:2], np.float32))
        self.share = 1 / self.count
        self.mean = self._sum(self.picture) * self.share[..., None]
        self.inverse = _inverse(self._covariance(epsilon))

    def _sum(self, values: Floats) -> Floats:
        """Over each window; what lies outside the picture counts as 0."""
        return cv2.boxFilter(values, -1, (self.side, self.side), normalize=False, borderType=cv2.BORDER_CONSTANT)

    def _covariance(self, epsilon: float) -> dict[tuple[int, int], Floats]:
        covariance: dict[tuple[int, int], Floats] = {}
        for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)):
            product = self._sum(self.picture[..., i] * self.picture[..., j]) * self.share
            covariance[i, j] = product - self.mean[..., i] * self.mean[..., j] + (epsilon if i == j else 0)
        return covariance

    def fit(self, values: Floats) -> Floats:
        """Sum over a pixel's windows of the affine functions of color that fit `values` (H, W) there."""
        sums = self._sum(np.dstack([self.picture * values[..., None], values])) * self.share[..., None]
        mean = sums[..., 3]
        c0, c1, c2 = (sums[..., i] - self.mean[..., i] * mean for i in range(3))
        inverse = self.inverse
        line = np.empty_like(sums)
        line[..., 0] = inverse[0, 0] * c0 + inverse[0, 1] * c1 + inverse[0, 2] * c2
        line[..., 1] = inverse[0, 1] * c0 + inverse[1, 1] * c1 + inverse[1, 2] * c2
        line[..., 2] = inverse[0, 2] * c0 + inverse[1, 2] * c1 + inverse[2, 2] * c2
        line[..., 3] = mean - _dot(line, self.mean)
        sums = self._sum(line)
        return _dot(sums, self.picture) + sums[..., 3]

    def smooth(self, values: Floats) -> Floats:
        """The guided filter: `values` (H, W) redrawn along the picture's edges."""
        return self.fit(values) * self.share

    def solve(self, wanted: Floats, trust: Floats, steps: int) -> Floats:
        """The matte (H, W) that is smooth in the picture's sense and near `wanted` where `trust` (H, W) > 0 is large.

        Conjugate gradients with a diagonal preconditioner, from `wanted`, at most `steps`.
        """
        scale = 1 / self.side**2

        def apply(values: Floats) -> Floats:
            return (self.count * values - self.fit(values)) * scale + trust * values

        answer = wanted.copy()
        rest = trust * wanted - apply(answer)
        easy = 1 / (self.count * scale + trust)
        way = easy * rest
        energy = float((rest * way).sum())
        for _ in range(steps):
            applied = apply(way)
            curvature = float((way * applied).sum())
            if curvature <= 0:  # rounding is all that is left
                break
            length = energy / curvature
            answer += length * way
            rest -= length * applied
            if np.abs(rest).max() < TOLERANCE:
                break
            eased = easy * rest
            before, energy = energy, float((rest * eased).sum())
            way = eased + (energy / before) * way
        return answer


def _dot(first: Floats, second: Floats) -> Floats:
    """Of the first three channels. Written out: numpy is slow at sums over a short last axis."""
    return first[..., 0] * second[..., 0] + first[..., 1] * second[..., 1] + first[..., 2] * second[..., 2]


def _inverse(of: dict[tuple[int, int], Floats]) -> dict[tuple[int, int], Floats]:
    """Of symmetric 3 x 3 matrices, one per pixel, by cofactors."""
    a, b, c, d, e, f = of[0, 0], of[0, 1], of[0, 2], of[1, 1], of[1, 2], of[2, 2]
    cofactors = {
        (0, 0): d * f - e * e,
        (0, 1): c * e - b * f,
        (0, 2): b * e - c * d,
        (1, 1): a * f - c * c,
        (1, 2): b * c - a * e,
        (2, 2): a * d - b * b,
    }
    by = 1 / (a * cofactors[0, 0] + b * cofactors[0, 1] + c * cofactors[0, 2])
    return {at: value * by for at, value in cofactors.items()}
