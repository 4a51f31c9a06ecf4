"""What the files of this package hand each other."""

from dataclasses import dataclass

from cv2.typing import MatLike

Pixels = MatLike
"""uint8: (H, W, 3) RGB, or a mask (H, W)."""
Floats = MatLike
"""float32. OpenCV's stubs tell neither from the other."""


@dataclass(frozen=True)
class Box:
    """A face in a photo, in pixels from the upper left corner: brows to chin, as frontal detectors draw it."""

    left: float
    top: float
    width: float
    height: float

    @property
    def center_x(self) -> float:
        return self.left + self.width / 2

    @property
    def center_y(self) -> float:
        return self.top + self.height / 2

    def scaled(self, by: float) -> "Box":
        return Box(self.left * by, self.top * by, self.width * by, self.height * by)

    def moved(self, right: float, down: float) -> "Box":
        return Box(self.left + right, self.top + down, self.width, self.height)

    def grown(self, by: float) -> "Box":
        """Around the same middle."""
        width, height = self.width * by, self.height * by
        return Box(self.center_x - width / 2, self.center_y - height / 2, width, height)

    def overlap(self, other: "Box") -> float:
        """Intersection over union, in [0, 1]."""
        right = min(self.left + self.width, other.left + other.width)
        low = min(self.top + self.height, other.top + other.height)
        shared = max(0.0, right - max(self.left, other.left)) * max(0.0, low - max(self.top, other.top))
        return shared / (self.width * self.height + other.width * other.height - shared)
