"""A drawing that carries another one of the same, laid out for a narrow page.

Who draws writes both into one SVG (`joined`): whatever shows that file shows the wide one, and a
page of the site the one that fits.
"""

from typing import Any

BEGIN, END = '<metadata id="narrow"><![CDATA[', "]]></metadata>"
SVG = "image/svg+xml"


def joined(wide: str, narrow: str) -> str:
    """Return a drawing, as SVG, that carries another one.

    >>> joined("<svg><g/></svg>", "<svg/>")
    '<svg><g/><metadata id="narrow"><![CDATA[<svg/>]]></metadata></svg>'
    """
    drawn, end, rest = wide.rpartition("</svg>")
    return f"{drawn}{BEGIN}{narrow}{END}{end}{rest}"


def parted(text: str) -> tuple[str, str]:
    """Return a drawing without the one that it carries, and that one; empty where there is none.

    >>> parted(joined("<svg><g/></svg>", "<svg/>"))
    ('<svg><g/></svg>', '<svg/>')
    >>> parted("<svg/>")
    ('<svg/>', '')
    """
    before, _, carried = text.partition(BEGIN)
    narrow, _, after = carried.partition(END)
    return before + after, narrow


def leave_wide(outputs: list[Any]) -> None:
    """Have a cell's outputs carry no drawing for a narrow page: only the site shows one."""
    for output in outputs:
        if text := output.get("data", {}).get(SVG):
            output["data"][SVG] = parted("".join(text))[0]
