"""One picture that is wanted, and what is told of it while it is made."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image

from ml_image.edits import Start
from ml_image.families.family import Wanted
from shared.sources import Source

if TYPE_CHECKING:
    from ml_image.denoising import Denoising


@dataclass
class Progress:
    """What a batcher tells: a `preview` on the way, the picture at the end, or what went wrong."""

    picture: Image.Image | None = None
    preview: int | None = None
    """Which of the previews this is; None: the end."""
    error: Exception | None = None


@dataclass(eq=False)
class Job:
    """`emit` is called in the batcher's thread."""

    wanted: Wanted
    steps: int
    rescale: float
    seed: int
    emit: Callable[[Progress], None]
    start: Start | None = None
    previews: int = 0
    adapter: Source | None = None
    """The LoRA adapter that it is made with."""
    cost: float = 1.0
    """Slots that it takes."""
    cancelled: bool = False
    denoising: "Denoising | None" = None
    told: int = field(default=0)
    """Previews so far."""

    @property
    def group(self) -> tuple[str, int, int]:
        """Pictures of one group share passes of the network."""
        return (self.adapter.key if self.adapter else "", self.wanted.width, self.wanted.height)

    @property
    def is_preview_due(self) -> bool:
        """Whether the next step is one that is shown: previews lie evenly before the last step."""
        assert self.denoising is not None
        total = len(self.denoising.timesteps)
        return self.told < min(self.previews, total - 1) and self.denoising.index + 1 >= round(
            total * (self.told + 1) / (self.previews + 1)
        )
