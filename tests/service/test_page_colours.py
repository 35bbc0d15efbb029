"""The concepts' colours can be told apart by every eye: the claim of css/tokens.css, checked.

Colour blindness is simulated as in Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision
Deficiency" (IEEE TVCG 2009): their matrices for the full deficiency, applied to linear RGB. Distances are Euclidean in OKLab
(Ottosson 2020).
"""

import re
from itertools import combinations

import numpy as np
import pytest

from macrid.service.page import WEB

EYES = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_CONES = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                     [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
TO_OKLAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                     [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip
NEAREST_OF_SEVEN, NEAREST_OF_ALL = 0.07, 0.04


def palette():
    """Every concept's colour in the light theme and in the dark, (20, 2, 3) in [0, 1]."""
    text = (WEB / "css" / "tokens.css").read_text(encoding="utf-8")
    found = re.findall(r"--concept-\d+: light-dark\(#(\w{6}), #(\w{6})\)", text)
    return np.array([[[int(code[at : at + 2], 16) / 255 for at in (0, 2, 4)] for code in pair] for pair in found])


def oklab(colours, eye):
    """What an eye sees of sRGB colours (…, 3), in OKLab."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ EYES[eye].T, 0, 1)
    return np.cbrt(seen @ TO_CONES.T) @ TO_OKLAB.T


def nearest(colours):
    return min(np.linalg.norm(one - other) for one, other in combinations(colours, 2))


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
def test_no_two_concepts_look_the_same(eye, theme):
    colours = oklab(palette()[:, theme], eye)
    assert len(colours) == 20
    assert nearest(colours[:7]) >= NEAREST_OF_SEVEN
    assert nearest(colours) >= NEAREST_OF_ALL


def test_the_simulation_knows_red_from_green_only_where_the_eye_does():
    red, green = np.array([0.72, 0.35, 0.2]), np.array([0.5, 0.5, 0.15])
    apart = {eye: np.linalg.norm(oklab(red, eye) - oklab(green, eye)) for eye in EYES}
    assert apart["deuteranopia"] < apart["normal"] / 2
    assert apart["tritanopia"] > apart["normal"] / 2
