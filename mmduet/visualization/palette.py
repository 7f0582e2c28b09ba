"""Colours that the colour-blind tell apart (Okabe and Ito 2008), in the order that keeps the first ones furthest apart."""
RGB = tuple[int, int, int]

COLOURS: tuple[RGB, ...] = ((213, 94, 0), (0, 114, 178), (240, 228, 66), (86, 180, 233), (204, 121, 167), (230, 159, 0),
                            (0, 158, 115))


def colour_of(number: int) -> RGB:
    """The colour of the answer of this number, counted from 0; after the last the first comes again."""
    return COLOURS[number % len(COLOURS)]


def ink_on(colour: RGB) -> RGB:
    """Black or white, whichever has more contrast on a colour (WCAG 2)."""
    black, white = contrast(colour, (0, 0, 0)), contrast(colour, (255, 255, 255))
    return (0, 0, 0) if black >= white else (255, 255, 255)


def contrast(one: RGB, other: RGB) -> float:
    """Contrast ratio of two colours by WCAG 2, from 1 to 21.

    >>> round(contrast((0, 0, 0), (255, 255, 255)), 1)
    21.0
    """
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: RGB) -> float:
    red, green, blue = (value / 3294.6 if value <= 10 else ((value / 255 + 0.055) / 1.055)**2.4 for value in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
