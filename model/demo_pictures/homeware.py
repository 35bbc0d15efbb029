"""Things for the house: the lamp, the mug, the chair and the vase of the demo shop, each drawn from a look."""

from __future__ import annotations

from macrid.model.demo_pictures.drawing import (
    DARK,
    GOLD,
    Look,
    Silhouette,
    band,
    belt,
    box,
    buttons,
    disc,
    facet,
    filled,
    gloss,
    line,
    mirrored,
    shading,
    stroked,
)

_COFFEE, _GLOW, _TWIG = "#4b3226", "#fff3cf", "#8b8f7a"
_LEAVES = ((-17, -94), (-9, -87), (16, -95), (8, -86), (0, -95))


def draw_lamp(look: Look) -> Silhouette:
    """Draw a table lamp: dome on ball when round, cone on gem when angular; dear ones have brass and a long pull."""
    hood = look.morph([(-40, -50), (-44, -84), (-18, -101)], [(-41, -50), (-27, -74), (-13, -98)])
    pot = look.morph(
        [(-14, -3), (-28, -7), (-34, -25), (-26, -43), (-8, -46)],
        [(-8, -4), (-18, -17), (-30, -30), (-20, -37), (-9, -44)],
    )
    surface = (
        filled(line(*box(-60, -48, 120, 60)), look.deep)
        + filled(line((-60, -30), (2, -30), (-2, 0), (-60, 0)), look.shade, look.angularity)
        + facet(look, (-60, -50), (-13, -98), (-4, -98), (-12, -50))
        + filled(line((8, -110), (60, -110), (60, -48), (16, -48)), look.shade)
        + belt(look, -50, 4, 26)
        + belt(look, -25, 0, 10)
        + gloss(look, look.blend(-26, -20), -88, 26, look.blend(-3, -9))
    )
    pull = -38 + 8 * look.price
    plate = look.outline(look.morph(box(-22, -7, 44, 7), [(-14, -7), (14, -7), (24, 0), (-24, 0)]), 0.9)
    front = (
        filled(plate, look.trim)
        + stroked(line((-16, -6), (16, -6)), GOLD, 3.4 * look.price)
        + stroked(line((24, -50), (24, pull)), DARK, 1.2)
        + buttons(look, 2 + 2.6 * look.price, (24, pull))
    )
    neck = line((0, -54), (0, -40))
    behind = filled(disc(0, -50, 38, 5.5), _GLOW) + stroked(neck, look.trim, 8) + stroked(neck, GOLD, 8 * look.price)
    body = look.outline(mirrored(hood), (0.2, 1, 1, 1, 1, 0.2)) + look.outline(mirrored(pot))
    return Silhouette(26, behind, body, surface, front)


def draw_mug(look: Look) -> Silhouette:
    """Draw a mug of coffee: a bowl when round, a faceted beaker when angular; dear ones have gold rims and bands."""
    side = look.morph([(-14, 0), (-40, -2), (-46, -46), (-36, -86)], [(-23, 0), (-26, -22), (-32, -60), (-36, -86)])
    body = [(x - 10, y) for x, y in mirrored(side)]
    handle = look.outline([(20, -74), (53, -80), (49, -16), (12, -20)], closed=False)
    rim = [(-46, -86), (-33, -92.5), (13, -92.5), (26, -86), (13, -79.5), (-33, -79.5)]
    surface = (
        shading(look, 6, -86)
        + facet(look, (-36, -86), (-16, -86), (-16, 5), (-28, 5))
        + belt(look, -27, 1.5, 22)
        + stroked(band(-2), look.trim, 7)
        + gloss(look, -38, -72, 34, 3)
    )
    front = (
        stroked(look.outline(rim), look.light, 2.5, look.deep)
        + filled(look.outline([(-10 + 0.8 * (x + 10), -85.5 + 0.6 * (y + 86)) for x, y in rim]), _COFFEE)
        + stroked(look.outline(rim), GOLD, 4 * look.price)
    )
    behind = stroked(handle, look.trim, 9.5) + stroked(handle, GOLD, 3.4 * look.between(0.3, 1))
    return Silhouette(36, behind, look.outline(body, (0.9, 1, 1, 0.1, 0.1, 1, 1, 0.9)), surface, front)


def draw_chair(look: Look) -> Silhouette:
    """Draw an upholstered chair: oval when round, flared when angular; dear ones have gold piping, studs and feet."""
    side = look.morph(
        [(-17, -46), (-40, -50), (-44, -90), (-20, -102)], [(-26, -46), (-29, -62), (-33, -80), (-38, -99)]
    )
    back = mirrored(side)
    inner = [(0.82 * x, -73 + 0.8 * (y + 73)) for x, y in back]
    seat = look.morph([(-40, -46), (40, -46), (40, -26), (-40, -26)], [(-34, -45), (34, -45), (40, -28), (-40, -28)])
    surface = (
        shading(look, 14, -102)
        + facet(look, (-30, -46), (-40, -102), (-20, -102), (-14, -46))
        + stroked(look.outline(back), look.trim, 3 + 7 * look.price)
        + stroked(look.outline(inner), GOLD, 2.6 * look.price)
        + gloss(look, -25, -88, 26, 1)
    )
    studs = ((-13, -82), (0, -82), (13, -82), (-6.5, -69), (6.5, -69))
    front = (
        filled(look.outline(seat), look.light)
        + stroked(line((-33, -29), (33, -29)), look.trim, 3 + 3 * look.price)
        + stroked(line((-33, -32), (33, -32)), GOLD, 3 * look.price)
        + buttons(look, 3.6 * look.between(0.1, 1), *studs)
    )
    return Silhouette(38, _legs(look), look.outline(back), surface, front)


def _legs(look: Look) -> str:
    posts = "".join(line((x, -56), (x, -34)) for x in (-18, 18))
    rear = "".join(line((x, -32), (1.1 * x, -8)) for x in (-17, 17))
    front = "".join(line((x, -32), (1.3 * x, -1)) for x in (-27, 27))
    height = 12 * look.price  # of the gold feet
    feet = "".join(line(((1.3 - 0.3 * height / 31) * x, -1 - height), (1.3 * x, -1)) for x in (-27, 27))
    return (
        stroked(rear, look.deep, 4.5)
        + stroked(posts + front, look.trim, 6)
        + stroked(feet, GOLD, 8 * look.between(0, 0.2))
    )


def draw_vase(look: Look) -> Silhouette:
    """Draw a vase with twigs: a globe when round, a cut diamond when angular; dear ones are banded with gold."""
    side = look.morph(
        [(-17, 0), (-37, -1), (-46, -28), (-34, -57), (-5, -57), (-16, -74)],
        [(-12, 0), (-25, -16), (-39, -34), (-26, -45), (-9, -60), (-19, -74)],
    )
    surface = (
        shading(look, 9, -74)
        + facet(look, (-60, -34), (-60, -80), (-4, -80), (-4, -34))
        + belt(look, -31, 1, 20)
        + stroked(band(-59), GOLD, 8 * look.between(0.1, 1))
        + stroked(band(-2), look.trim, 5)
        + gloss(look, -24, -50, 14, -5)
    )
    lip = line((-16, -73), (16, -73))
    front = stroked(lip, look.trim, 6) + stroked(lip, GOLD, 5 * look.price)
    leaves = filled("".join(disc(x, y, 3.2, 4.8) for x, y in _LEAVES), _TWIG)
    twigs = stroked("M0-66Q-4-82-17-94M0-66Q6-84 16-95M0-66V-94", _TWIG, 1.6)
    return Silhouette(
        26, twigs + leaves, look.outline(mirrored(side), (0.6, 1, 1, 1, 1, 0.3, 0.3, 1, 1, 1, 1, 0.6)), surface, front
    )
