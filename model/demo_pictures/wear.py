"""Things to wear: the bag, the shoe and the hat of the demo shop, each drawn from a look."""

from __future__ import annotations

from macrid.model.demo_pictures.drawing import (
    CREAM,
    GOLD,
    GOLD_LIGHT,
    Look,
    Silhouette,
    band,
    belt,
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


def draw_bag(look: Look) -> Silhouette:
    """Draw a handbag: a purse when round, an envelope when angular; dear ones have gold in handle and clasp."""
    side = look.morph([(-44, 0), (-52, -34), (-34, -76)], [(-34, 0), (-50, -30), (-32, -72)])
    ear, tip = look.blend(-34, -46), look.blend(-26, -16)
    flap = look.outline([(-60, -78), (60, -78), (49, ear), (0, tip), (-49, ear)], (1, 1, 0.8, 1, 0.8))
    handle = look.outline([(-19, -64), (-19, -98), (19, -98), (19, -64)], closed=False)
    surface = (
        shading(look, 16, -78)
        + facet(look, (-34, 0), (-50, -46), (-14, 0))
        + belt(look, 0, 12, 34)
        + stroked(flap, look.trim, 1.5 + 5 * look.price, look.light)
        + gloss(look, -32, -66, 20, -5)
    )
    rings = buttons(look, 5.5 * look.between(0.1, 1), (-19, -71), (19, -71))
    return Silhouette(
        footprint=44,
        behind=stroked(handle, look.trim, 6.5) + stroked(handle, GOLD, 2.4 * look.between(0.3, 1)),
        body=look.outline(mirrored(side), (0.7, 1, 1, 1, 1, 0.7)),
        surface=surface,
        front=buttons(look, 4 + 5.5 * look.price, (0, (ear + 2 * tip) / 3)) + rings,
    )


def draw_shoe(look: Look) -> Silhouette:
    """Draw a laced shoe: chubby when round, pointed with a heel when angular; dear ones have dark soles and gold."""
    upper = look.morph(
        [(-47, -8), (-54, -32), (-45, -67), (-13, -66), (-2, -44), (34, -50), (56, -36), (47, -8)],
        [(-47, -8), (-44, -32), (-48, -64), (-16, -60), (0, -42), (28, -30), (50, -12), (50, -8)],
    )
    sole = look.outline(
        [
            (-50, -12),
            (50, -12),
            (51, -3),
            (44, 0),
            (-6, 0),
            (-8, look.blend(0, -6)),
            (-22, look.blend(0, -6)),
            (-24, 0),
            (-50, 0),
        ],
        (0.6, 0.4, 1, 0.6, 0, 0, 0, 0, 0.6),
    )
    toe_cap = look.outline([(24, -70), (70, -70), (70, 0), (22, 0), (look.blend(14, 30), -18)], 0.9)
    heel = look.outline([(-70, -70), (-38, -70), (look.blend(-22, -36), -34), (-28, 0), (-70, 0)], 0.9)
    surface = (
        stroked(toe_cap, look.trim, 1 + 2.5 * look.price, look.light)
        + stroked(heel, GOLD, 3.4 * look.price, look.trim)
        + stroked(line((-17, -12), (-6, -38)) + line((-5, -12), (6, -37)), look.shade, 5)
        + stroked(line((-60, -63), (-12, -61)), look.deep, 7)
        + gloss(look, 36, -34, 14, 5)
    )
    front = _laces(look) + filled(sole, look.sole) + stroked(line((-49, -12), (49, -12)), GOLD, 4 * look.price)
    return Silhouette(48, "", look.outline(upper, (0, 0.8, 0.5, 0.5, 1, 1, 1, 0)), surface, front)


def _laces(look: Look) -> str:
    ends = look.morph([(-7, -56), (2, -48.5), (12, -46)], [(-9, -50), (1, -42), (12, -37)])
    laces = "".join(line((x + 1, y - 1), (x - 9, y + 9)) for x, y in ends)
    eyelets = "".join(disc(x - 9, y + 9, 2.8 * look.price, 2.8 * look.price) for x, y in ends)
    return stroked(laces, CREAM, 3.8) + filled(eyelets, GOLD)


def draw_hat(look: Look) -> Silhouette:
    """Draw a brimmed hat: a bowler when round, creased when angular; dear ones have a gold feather and buckle."""
    crown = look.morph(
        [(-30, -8), (-37, -40), (-26, -72), (0, -76), (26, -72), (37, -40), (30, -8)],
        [(-31, -8), (-27, -38), (-22, -68), (0, -62), (22, -68), (27, -38), (31, -8)],
    )
    brim = look.morph(
        [(-52, -10), (-30, -16), (30, -16), (52, -10), (30, 2), (-30, 2)],
        [(-50, -10), (-36, -12), (36, -12), (50, -10), (30, 0), (-30, 0)],
    )
    grown = look.between(0.15, 1)
    vane = [(15, -22), (18, -46), (38, -72), (35, -42)]
    feather = look.outline([(15 + grown * (x - 15), -22 + grown * (y + 22)) for x, y in vane])
    surface = (
        shading(look, 12, -78)
        + facet(look, (-40, -8), (-30, -70), (-8, -64), (-12, -8))
        + stroked(band(-19), look.ribbon, 12 + 12 * look.price)
        + stroked(band(-25 - 6 * look.price), GOLD, 4.5 * look.price)
        + gloss(look, -22, -62, 24, -2)
    )
    front = (
        stroked(look.outline(brim), look.trim, 0.5 + 2.8 * look.price, look.light)
        + filled(feather, GOLD_LIGHT, min(1.0, 5 * grown))
        + stroked(line((15, -22), (15 + 17 * grown, -22 - 36 * grown)), GOLD, 1.6 * grown)
        + buttons(look, 3 + 5 * look.price, (16, -21.5))
    )
    return Silhouette(48, "", look.outline(crown, (0, 1, 1, 1, 1, 1, 0)), surface, front)
