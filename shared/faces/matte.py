"""The person around a face: which pixels of a photo are hers, with hair, neck, collar and clothes.

GrabCut (Rother et al. 2004, https://doi.org/10.1145/1015706.1015720) seeded by where a body is below a face, then a
guided filter (He et al. 2010, https://doi.org/10.1007/978-3-642-15549-9_1) that draws the edge along the photo's own.
"""

import cv2
import numpy as np

from shared.faces.types import Box, Floats, Pixels

WORKING_PX = 512
"""GrabCut's cost grows with the pixels; the guided filter brings the edge back to full resolution."""
ITERATIONS = 6
EPSILON = 1e-4
"""The guided filter's: variance of the photo, in [0, 1]², that counts as an edge."""


def find_matte(photo: Pixels, face: Box) -> Floats:
    """How much of each pixel is the person: (H, W) in [0, 1] for a photo (H, W, 3) and the box of its face."""
    height, width = photo.shape[:2]
    scale = min(1.0, WORKING_PX / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA) if scale < 1 else photo
    hard = _cut(small, face.scaled(scale))
    soft = _guided(small, hard, radius=max(3, round(face.width * scale / 12)))
    if scale < 1:
        soft = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
        soft = _guided(photo, soft, radius=max(3, round(2 / scale)))
    return np.clip((soft - 0.08) / 0.84, 0, 1, dtype=np.float32)


def _cut(photo: Pixels, face: Box) -> Floats:
    labels = _seeds(photo.shape[0], photo.shape[1], face)
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(1)  # its clusters start at random: the same photo has to give the same matte
    cv2.grabCut(photo[..., ::-1].copy(), labels, (0, 0, 0, 0), models[0], models[1], ITERATIONS, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    inside = _morph(inside, cv2.MORPH_CLOSE, face.width / 10)
    inside = _morph(inside, cv2.MORPH_OPEN, face.width / 16)
    # a pole or a stripe of a flag beside the person is thin, and lies where no person was expected
    expected = np.isin(_seeds(photo.shape[0], photo.shape[1], face), (cv2.GC_FGD, cv2.GC_PR_FGD))
    inside = np.where(expected | (_morph(inside, cv2.MORPH_OPEN, face.width / 3) > 0), inside, 0)
    _, parts = cv2.connectedComponents(inside)
    center_y, center_x = int(face.center_y), int(face.center_x)
    mine = (parts == parts[center_y, center_x]).astype(np.uint8)
    return _filled(mine).astype(np.float32)


def _morph(mask: Pixels, how: int, size_px: float) -> Pixels:
    side = max(3, round(size_px)) | 1
    return cv2.morphologyEx(mask, how, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))


def _filled(mask: Pixels) -> Pixels:
    """Without holes: what the border cannot reach is inside."""
    padded = np.pad(mask, 1)
    flood = padded.copy()
    cv2.floodFill(flood, None, (0, 0), 1)
    return np.maximum(padded, 1 - flood)[1:-1, 1:-1]


def _seeds(height: int, width: int, face: Box) -> Pixels:
    """GrabCut's labels from the proportions of a person: the head is about one and a half face boxes high, shoulders
    are about four wide, and the chest reaches the lower edge of the picture."""
    x, y, w, h = face.center_x, face.center_y, face.width, face.height
    labels = np.full((height, width), cv2.GC_BGD, np.uint8)

    def fill(points: list[tuple[float, float]], label: int) -> None:
        cv2.fillPoly(labels, [np.array(points, np.int32)], label)

    def oval(center_y: float, radius_x: float, radius_y: float, label: int) -> None:
        cv2.ellipse(labels, (int(x), int(center_y)), (int(radius_x), int(radius_y)), 0, 0, 360, label, -1)

    low = float(height)
    oval(y - 0.1 * h, 1.25 * w, 1.3 * h, cv2.GC_PR_BGD)
    fill([(x - w, y + 0.6 * h), (x + w, y + 0.6 * h), (x + 3.2 * w, low), (x - 3.2 * w, low)], cv2.GC_PR_BGD)
    oval(y - 0.12 * h, 0.78 * w, 1.0 * h, cv2.GC_PR_FGD)
    body = [(0.45, 0.6), (1.0, 0.95), (1.45, 1.4), (1.75, 2.2), (2.0, (low - y) / h)]
    body = [(across, down) for across, down in body if down <= (low - y) / h]
    outline = [(x + across * w, y + down * h) for across, down in body]
    fill([*outline, *[(2 * x - at, down) for at, down in reversed(outline)]], cv2.GC_PR_FGD)
    oval(y, 0.42 * w, 0.58 * h, cv2.GC_FGD)
    neck = [(x - 0.34 * w, y + 0.4 * h), (x + 0.34 * w, y + 0.4 * h)]
    fill([*neck, (x + 0.5 * w, y + 1.4 * h), (x - 0.5 * w, y + 1.4 * h)], cv2.GC_FGD)
    fill([(x - 0.6 * w, y + 1.3 * h), (x + 0.6 * w, y + 1.3 * h), (x + 0.8 * w, low), (x - 0.8 * w, low)], cv2.GC_FGD)
    return labels


def _guided(photo: Pixels, mask: Floats, radius: int) -> Floats:
    """`mask` as a locally linear function of the photo's brightness, in windows of `radius` px."""
    guide = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(values: Floats) -> Floats:
        return cv2.blur(values, window)

    mean_guide, mean_mask = mean(guide), mean(mask)
    slope = (mean(guide * mask) - mean_guide * mean_mask) / (mean(guide * guide) - mean_guide**2 + EPSILON)
    offset = mean_mask - slope * mean_guide
    return mean(slope) * guide + mean(offset)
