"""A picture for each project in the launcher: its initials, on a colour of its client's own.

People who work for several clients should see at a glance whose kernel they choose.
"""

import colorsys
import hashlib
from xml.sax.saxutils import escape

from kernels.projects import Project


def draw_logo(project: Project) -> str:
    """An SVG of the project's initials; all projects of a client have the same colour."""
    hue = int(hashlib.sha256(project.client.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, 0.36, 0.45))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f'<rect width="64" height="64" rx="10" fill="#{red:02x}{green:02x}{blue:02x}"/>'
        '<text x="32" y="33" fill="#fff" font-family="sans-serif" font-size="28" '
        'font-weight="600" text-anchor="middle" dominant-baseline="central">'
        f"{escape(_initials(project.title))}</text></svg>\n"
    )


def _initials(title: str) -> str:
    words = [word for word in title.replace("-", " ").split() if word[0].isalnum()]
    letters = [word[0] for word in words[:2]] if len(words) > 1 else [*title[:2]]
    return "".join(letters).upper()
