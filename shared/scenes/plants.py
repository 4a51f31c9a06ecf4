"""Trees, drawn with their foot at (0, 0) and one unit high."""

from shared.scenes.canvas import Place, lighter
from shared.scenes.sky import Light

LEAVES = ((52, 120, 56), (66, 138, 60), (40, 104, 60))
BARK = (96, 66, 44)


def pine(place: Place, light: Light, shade: float, depth: float) -> None:
    """`shade` in [0, 1) picks the green."""
    green = light.on(LEAVES[int(shade * len(LEAVES))])
    place.rectangle(-0.05, -0.3, 0.05, 0, light.on(BARK), depth=depth)
    for step in range(3):
        half, foot = 0.3 - 0.07 * step, -0.2 - 0.24 * step
        place.polygon([(-half, foot), (half, foot), (0, foot - 0.36)], lighter(green, 0.05 * step), depth)


def leafy(place: Place, light: Light, shade: float, depth: float) -> None:
    green = light.on(LEAVES[int(shade * len(LEAVES))])
    place.rectangle(-0.05, -0.4, 0.05, 0, light.on(BARK), depth=depth)
    for x, y, radius in ((-0.16, -0.5, 0.22), (0.16, -0.5, 0.22), (0, -0.68, 0.27), (0, -0.48, 0.24)):
        place.ellipse(x, y, radius, radius, green, depth)
    place.ellipse(-0.1, -0.74, 0.1, 0.09, lighter(green, 0.18))


def palm(place: Place, light: Light, depth: float) -> None:
    bark, green = light.on((120, 84, 52)), light.on((48, 124, 62))
    place.polygon([(-0.04, 0), (0.05, 0), (0.16, -0.8), (0.11, -0.82)], bark, depth)
    for x, y in ((-0.28, -0.72), (-0.18, -0.98), (0.2, -1.08), (0.48, -0.94), (0.52, -0.68)):
        middle_x, middle_y = (x + 0.13) / 2, (y - 0.82) / 2 - 0.09
        place.polygon(
            [(0.13, -0.84), (middle_x, middle_y), (x, y), (middle_x, middle_y + 0.1), (0.13, -0.78)], green, depth
        )
