"""Colours of the demo shop's pictures: a perceptually even ramp from cool to warm, and tones of one colour.

Colours are mixed in OKLab (Björn Ottosson, 2020, https://bottosson.github.io/posts/oklab/), where equal distances look
about equally different; interpolating in RGB would turn grey between teal and coral.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Colour = npt.NDArray[np.float64]  # (3,) OKLab: lightness, green–red, blue–yellow

_LAB_TO_LMS = np.array(
    [[1.0, 0.3963377774, 0.2158037573], [1.0, -0.1055613458, -0.0638541728], [1.0, -0.0894841775, -1.2914855480]]
)
_LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def polar(lightness: float, chroma: float, degrees: float) -> Colour:
    """Return the colour of a lightness in [0, 1], a chroma (0 is grey) and a hue angle."""
    angle = np.deg2rad(degrees)
    return np.array([lightness, chroma * np.cos(angle), chroma * np.sin(angle)])


# Indigo, blue, teal, sage, sand, amber, coral, crimson: an open ramp, whose ends are far apart, not a hue circle.
_STOPS = np.array(
    [
        polar(0.42, 0.150, 277),
        polar(0.54, 0.125, 250),
        polar(0.62, 0.100, 205),
        polar(0.70, 0.085, 150),
        polar(0.80, 0.090, 86),
        polar(0.75, 0.130, 65),
        polar(0.67, 0.160, 38),
        polar(0.50, 0.180, 20),
    ]
)
_LENGTHS = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(_STOPS, axis=0), axis=1))])


def ramp(warmth: float) -> Colour:
    """Return the colour at `warmth` in [0, 1] of the way from indigo to crimson, measured along the ramp in OKLab."""
    return np.array([np.interp(warmth * _LENGTHS[-1], _LENGTHS, _STOPS[:, axis]) for axis in range(3)])


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return the colour `share` of the way from the first to the second."""
    return first + share * (second - first)


def tone(colour: Colour, lightness: float) -> Colour:
    """Return the colour with its lightness multiplied, kept below white."""
    return np.array([min(colour[0] * lightness, 0.97), colour[1], colour[2]])


def hexadecimal(colour: Colour) -> str:
    """Return the nearest sRGB colour as "#rrggbb"."""
    linear = np.clip(_LMS_TO_RGB @ (_LAB_TO_LMS @ colour) ** 3, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in encoded.tolist())
