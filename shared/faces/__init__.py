"""A real face in made pictures: found in one photo, cut out once, placed in any picture with its own pixels.

    cutout = cut_out(read_picture(upload))                  # InvalidRequest says why a photo cannot be used
    save_cutout(cutout, folder / "face.png")
    ad = compose(load_cutout(folder / "face.png"), background, Placement(x=0.3, size=0.7), blend=0.7)

`placed_mask` gives inpainting models what they may repaint. Everything runs on one core with OpenCV and numpy.
"""

from shared.faces.compose import compose, placed_mask
from shared.faces.cutout import Cutout, cut_out, load_cutout, save_cutout
from shared.faces.detect import Face, choose_face, find_faces
from shared.faces.place import Placement
from shared.faces.types import Box

__all__ = [
    "Box",
    "Cutout",
    "Face",
    "Placement",
    "choose_face",
    "compose",
    "cut_out",
    "find_faces",
    "load_cutout",
    "placed_mask",
    "save_cutout",
]
