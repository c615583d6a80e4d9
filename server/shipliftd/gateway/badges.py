"""The badge of a branch: how its newest build ended, as an SVG that loads nothing."""

from html import escape

_COLOURS = {
    "success": "#2da44e",
    "failure": "#cf222e",
    "error": "#cf222e",
    "killed": "#6e7781",
    "declined": "#6e7781",
    "skipped": "#6e7781",
    "none": "#6e7781",
}
# What goes on.
_OTHER = "#bf8700"
_LABEL = "build"
_LABEL_WIDTH = 38
# A letter of the font that is 11 high, about, and the room beside a text.
_LETTER, _ROOM = 6.6, 12


def svg(status: str) -> bytes:
    """The badge of a status; `none` where nothing was built."""
    word = escape(status)
    width = round(len(status) * _LETTER) + _ROOM
    colour = _COLOURS.get(status, _OTHER)
    whole = _LABEL_WIDTH + width
    text = 'fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img"'
        f' aria-label="{_LABEL}: {word}"><title>{_LABEL}: {word}</title>'
        f'<rect width="{whole}" height="20" rx="3" fill="#555"/>'
        f'<rect x="{_LABEL_WIDTH}" width="{width}" height="20" rx="3" fill="{colour}"/>'
        f'<g {text}><text x="{_LABEL_WIDTH // 2}" y="14">{_LABEL}</text>'
        f'<text x="{_LABEL_WIDTH + width // 2}" y="14">{word}</text></g></svg>'
    ).encode()
