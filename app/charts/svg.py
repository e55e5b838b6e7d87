"""Elements of an SVG document, as text. What stands in them is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

from espalier.app.words import plain

STYLE = (
    "svg{font:11px system-ui,sans-serif;color:#24292f}.ground{fill:#fff}"
    "a:focus,g:focus{outline:2px solid #0072b2}"
    "@media(prefers-color-scheme:dark){svg{color:#e6edf3}.ground{fill:#0d1117}}"
)
"""Of a picture that stands alone. In a page, the page's own style sheet says the same."""


class Markup(str):
    """Text that is SVG already. Notebooks show it."""

    __slots__ = ()

    def _repr_svg_(self) -> str:
        return str(self)


def tag(name: str, *inside: str, **attributes: object) -> Markup:
    """An element. Attributes that are None are left out; `_` stands for `-` in their names, numbers are rounded."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{_text(value)}"' for key, value in attributes.items()
                      if value is not None)  # fmt: skip
    content = "".join(part if isinstance(part, Markup) else _text(part) for part in inside)
    return Markup(f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>")


def group(parts: Iterable[Markup], **attributes: object) -> Markup:
    """Several elements as one."""
    return tag("g", *parts, **attributes)


def document(width: float, height: float, title: str, parts: Iterable[Markup], alone: bool) -> Markup:
    """A whole picture, in pixels. One that stands alone brings its style; in a page, none may stand in the markup."""
    ground = [tag("style", STYLE), tag("rect", class_="ground", width=width, height=height)] if alone else []
    return tag(
        "svg", tag("title", title), *ground, *parts,
        xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width:g} {height:g}", width=width, height=height,
        class_="chart", role="group", aria_label=title,
    )  # fmt: skip


def _text(value: object) -> str:
    """Escaped, without what XML has no place for."""
    return f"{value:.6g}" if isinstance(value, float) else html.escape(plain(str(value)))
