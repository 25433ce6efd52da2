"""MyST Markdown as any reader of Markdown shows it: roles become words, directives plain blocks."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

FENCE = re.compile(r" {0,3}(?P<fence>:{3,}|`{3,}|~{3,})\s*(?P<info>[^`]*)$")
DIRECTIVE = re.compile(r"\{([\w:+.-]+)\}\s*(.*)")
OPTION = re.compile(r":([\w-]+):\s*(.*)")
SILENT = re.compile(r"\([^\s()]+\)=\s*$|\+\+\+|%")  # a target, a break between blocks, a comment
ROLE = re.compile(
    r"\{(?P<role>[A-Za-z][\w:+.-]*)\}(?P<ticks>`+)(?P<content>(?:(?!\n\n).)+?)(?P=ticks)(?!`)"
    r"|(?P<code>(?<!`)(?P<fence>`+)(?!`)(?:(?!\n\n).)+?(?<!`)(?P=fence)(?!`))",
    re.DOTALL,
)
EQUATION = re.compile(r"\$\$((?:(?!\$\$).)+?)\$\$[ \t]*\(([^\s()]+)\)", re.DOTALL)
SPECIAL = re.compile(r"([\\`*_\[\]<>$|])")

CODE = {"code", "code-block", "code-cell", "sourcecode"}
PICTURES = {"figure", "image"}
WITHOUT_WORDS = {"bibliography", "toctree", "tableofcontents", "contents", "index", "raw"}
BOXES = {"admonition", "attention", "caution", "danger", "error", "hint", "important", "note"}
BOXES |= {"seealso", "tip", "warning", "dropdown"}
NAMED_BY_WORDS = {"admonition", "dropdown"}  # boxes whose title is their argument
OF_BUILDERS = {"only", "ifconfig"}  # whose argument is a condition

Options = Mapping[str, str]


class Roles(Protocol):
    """What a page's roles and labels stand for."""

    def say(self, role: str, content: str) -> str:
        """Return a role's words, in Markdown."""

    def named(self, label: str) -> str:
        """Return what a label names, such as `Table 2`; empty where nothing is known of it."""


def escaped(text: str) -> str:
    r"""Return Markdown that shows a text as it is.

    >>> print(escaped("conv1_1 [a]"))
    conv1\_1 \[a\]
    """
    return SPECIAL.sub(r"\\\1", text)


def plain(text: str, roles: Roles) -> str:
    """Return MyST Markdown without roles, directives and labels; nothing is refused."""
    return "\n".join(_blocks(text.split("\n"), roles))


def _blocks(lines: Sequence[str], roles: Roles) -> Iterator[str]:
    """Yield the lines of plain Markdown; what is fenced is a directive, code, or a block."""
    words: list[str] = []
    rest = list(lines)
    while rest:
        line = rest.pop(0)
        opening = FENCE.match(line)
        if not opening:
            words += [] if SILENT.match(line) else [line]
            continue
        yield from _paragraphs(words, roles)
        words = []
        body, closing, rest = _fenced(rest, opening["fence"])
        if found := DIRECTIVE.match(opening["info"]):
            yield from _directive(found[1], found[2].strip(), body, roles)
        elif opening["fence"].startswith(":"):
            yield from _blocks(body, roles)
        else:
            yield from [line, *body, *closing]
    yield from _paragraphs(words, roles)


def _fenced(lines: list[str], fence: str) -> tuple[list[str], list[str], list[str]]:
    """Return what stands before a fence's end, that line, and what follows."""
    end = re.compile(rf" {{0,3}}{fence[0]}{{{len(fence)},}}\s*$")
    place = next((place for place, line in enumerate(lines) if end.match(line)), len(lines))
    return lines[:place], lines[place : place + 1], lines[place + 1 :]


def _paragraphs(lines: Sequence[str], roles: Roles) -> list[str]:
    text = EQUATION.sub(lambda found: _equation(found[1], found[2], roles), "\n".join(lines))
    return ROLE.sub(lambda found: _role(found, roles), text).split("\n") if lines else []


def _role(found: re.Match[str], roles: Roles) -> str:
    return found["code"] or roles.say(found["role"], found["content"])


def _equation(tex: str, label: str, roles: Roles) -> str:
    number = roles.named(label).strip("()")
    if not number:
        return f"$${tex}$$"
    end = "\n" if tex.endswith("\n") else ""
    return rf"$${tex.rstrip()} \tag{{{number}}}{end}$$"


def _directive(name: str, argument: str, body: Sequence[str], roles: Roles) -> Iterator[str]:
    options, content = _options(body)
    label = options.get("name") or options.get("label") or ""
    if name in CODE:
        yield from [f"```{argument}", *content, "```"]
    elif name == "math":
        yield from _equation("\n" + "\n".join(content) + "\n", label, roles).split("\n")
    elif name in PICTURES:
        yield f"![{options.get('alt', '')}]({argument})"
        yield from ["", *_captioned(label, " ".join(content), roles)] if content else []
    elif name in BOXES:
        yield from _box(name, argument, content, roles)
    elif name not in WITHOUT_WORDS:
        shown = "" if name in OF_BUILDERS else argument
        yield from [*_captioned(label, shown, roles), ""] if shown else []
        yield from _blocks(content, roles)


def _options(body: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return a directive's options, and its content without the empty lines around it."""
    lines, options = list(body), {}
    if lines and lines[0].strip() == "---":  # a block of YAML
        head, _, lines = _fenced(lines[1:], "---")
        lines = [*(f":{line}" for line in head), *lines]
    while lines and (found := OPTION.match(lines[0])):
        options[found[1]] = found[2].strip()
        lines.pop(0)
    return options, "\n".join(lines).strip("\n").splitlines()


def _captioned(label: str, words: str, roles: Roles) -> list[str]:
    """Return a caption, which begins with its number if it has one."""
    named = roles.named(label) if label else ""
    caption = " ".join(_paragraphs([words], roles))
    return [f"**{named}.** {caption}" if named else f"**{caption}**"]


def _box(name: str, argument: str, content: Sequence[str], roles: Roles) -> Iterator[str]:
    """Yield a box as a quotation, whose first line is its title."""
    title = argument if name in NAMED_BY_WORDS else name.capitalize()
    more = [] if name in NAMED_BY_WORDS or not argument else [argument, ""]
    yield from (f"> {line}".rstrip() for line in [f"**{title}**", ""])
    yield from (f"> {line}".rstrip() for line in _blocks([*more, *content], roles))
