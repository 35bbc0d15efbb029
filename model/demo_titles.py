"""Titles of the demo shop's items: words for their factors, a noun of their department and the name of a model.

Stands between the generated factors and `items.csv`. The words follow fixed thresholds on the factors and leave out
what is unremarkable (a medium size, a shape neither round nor angular), as a shop would; no number is shown.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# From the low to the high end of each factor, equally wide; an empty word is left out of the title.
SIZE_WORDS = ("Tiny", "Small", "", "Large", "Grand")
SHAPE_WORDS = ("round", "soft", "", "faceted", "angular")
HUE_WORDS = ("indigo", "blue", "teal", "sage", "sand", "amber", "coral", "crimson")

# Per department: its nouns, and its materials from cheap to dear.
NOUNS = {
    "bags": ("tote", "handbag", "bag", "shopper"),
    "shoes": ("trainer", "sneaker", "shoe", "lace-up"),
    "lamps": ("table lamp", "lamp", "bedside lamp", "reading lamp"),
    "mugs": ("mug", "cup", "coffee mug", "tea mug"),
    "chairs": ("chair", "dining chair", "side chair", "seat"),
    "hats": ("hat", "brimmed hat", "sun hat", "town hat"),
    "vases": ("vase", "flower vase", "urn", "jar"),
}
MATERIALS = {
    "bags": ("cotton", "canvas", "suede", "leather", "calfskin"),
    "shoes": ("cotton", "canvas", "suede", "leather", "calfskin"),
    "lamps": ("paper", "tin", "linen", "steel", "brass"),
    "mugs": ("tin", "enamel", "stoneware", "porcelain", "bone china"),
    "chairs": ("pine", "birch", "beech", "oak", "walnut"),
    "hats": ("cotton", "twill", "felt", "wool", "cashmere"),
    "vases": ("clay", "terracotta", "stoneware", "porcelain", "crystal"),
}

_STARTS = (
    "Al",
    "Bran",
    "Cor",
    "Dal",
    "El",
    "Fen",
    "Gar",
    "Hol",
    "Is",
    "Jor",
    "Kel",
    "Lin",
    "Mar",
    "Nor",
    "Or",
    "Pel",
    "Quin",
    "Ros",
    "Sel",
    "Tor",
    "Ul",
    "Ver",
    "Wil",
    "Yar",
)
_ENDS = ("by", "den", "do", "ga", "ham", "ia", "kin", "la", "mere", "na", "ra", "sen", "ta", "ton", "va", "wick")
MODEL_NAMES = tuple(start + end for start in _STARTS for end in _ENDS)


def compose_titles(department: str, factors: npt.NDArray[np.float64], rng: np.random.Generator) -> list[str]:
    """Compose one title per item of a department, such as "Large angular coral leather tote Alden".

    Args:
        department: One of the keys of `NOUNS`.
        factors: (n, 4) in [0, 1], in the order size, hue, price, shape.
        rng: Chooses the nouns and deals out the model names, each once before any comes twice.
    """
    order = rng.permutation(len(MODEL_NAMES))
    names = [MODEL_NAMES[order[row % len(order)]] for row in range(len(factors))]
    nouns = rng.choice(np.array(NOUNS[department]), size=len(factors))
    scales = (SIZE_WORDS, SHAPE_WORDS, HUE_WORDS, MATERIALS[department])
    words = [_words(scale, factors[:, column]) for scale, column in zip(scales, (0, 3, 1, 2), strict=True)]
    return [_sentence(parts) for parts in zip(*words, nouns, names, strict=True)]


def _words(scale: tuple[str, ...], values: npt.NDArray[np.float64]) -> list[str]:
    bins = np.minimum((values * len(scale)).astype(np.int64), len(scale) - 1)
    return [scale[position] for position in bins]


def _sentence(words: tuple[str, ...]) -> str:
    text = " ".join(word for word in words if word)
    return text[0].upper() + text[1:]
