"""Colours of drawings: legible on white, and what stands for them on a dark page."""

from colorsys import hls_to_rgb, rgb_to_hls

LIGHT, DARK = "#ffffff", "#121212"  # the theme's grounds
TEXT, LINE = 4.5, 3.0  # the least contrast of each (WCAG 2.2, 1.4.3 and 1.4.11)


def luminance(colour: str) -> float:
    """Return a colour's relative luminance, from 0 to 1 (WCAG 2.2)."""
    parts = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb(colour)
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21.

    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def legible(colour: str, ground: str, least: float) -> str:
    """Return a colour of this hue that has a contrast of at least `least` to its ground.

    >>> legible("#0072b2", LIGHT, TEXT), legible("#e69f00", LIGHT, TEXT)
    ('#0072b2', '#996a00')
    """
    hue, light, saturation = rgb_to_hls(*rgb(colour))
    step = 0.01 if luminance(ground) < 0.2 else -0.01
    while contrast(colour, ground) < least and 0 <= light + step <= 1:
        light += step
        colour = _hex(hls_to_rgb(hue, light, saturation))
    return colour


def in_the_dark(colour: str, least: float = LINE) -> str:
    """Return what stands for a colour on a dark page: greys and pale fills change sides.

    >>> in_the_dark("#000000"), in_the_dark("#dddddd"), in_the_dark("#0072b2")
    ('#ffffff', '#383838', '#0072b2')
    """
    hue, light, saturation = rgb_to_hls(*rgb(colour))
    if saturation >= 0.2 and light <= 0.85:
        return legible(colour, DARK, least)
    turned = _hex(hls_to_rgb(hue, 0.1 + 0.9 * (1 - light), saturation))
    return legible(turned, DARK, TEXT) if least == TEXT else turned


def rgb(colour: str) -> tuple[float, float, float]:
    """Return the parts of `#rrggbb`, from 0 to 1."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def _hex(parts: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in parts)
