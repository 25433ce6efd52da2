"""`python -m book.builder.tex`: is there a TeX that can set the book, or what to install?"""

import shutil
import sys

PROGRAMS = ("xelatex", "latexmk", "rsvg-convert")
PACKAGES = (
    "texlive-xetex texlive-latex-extra texlive-fonts-recommended "
    "latexmk fonts-freefont-otf librsvg2-bin"
)


def missing() -> list[str]:
    """Return the programs that a PDF needs and this machine lacks."""
    return [program for program in PROGRAMS if shutil.which(program) is None]


def main() -> int:
    """Say what is missing, and how to install it; return 1 if something is."""
    absent = missing()
    if not absent:
        return 0
    print(
        f"make pdf: not found: {', '.join(absent)}. On Debian: apt-get install {PACKAGES}",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
