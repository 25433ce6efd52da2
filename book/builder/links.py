"""Links in HTML that a chapter writes itself: `run:KEY` leads to a record, `page:NAME` to a page.

A chapter knows neither where its page will lie nor where the record of a run is served.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from sphinx.application import Sphinx

from book.builder.runs import Runs

RECORDS = "_records"  # the folder of the site's records
RECORD = re.compile(rf'href="[^"]*{RECORDS}/([^"/]+)"')
LINK = re.compile(r'href="(run|page):([^"]+)"')


def resolved(body: str, app: Sphinx, page: str, runs: Runs, pathto: Callable[..., str]) -> str:
    """Return a page's HTML with addresses for these links, the records copied into the site.

    What the site does not have is no link.
    """

    def address(link: re.Match[str]) -> str:
        kind, name = link.groups()
        if kind == "page":
            found = pathto(name) if name in app.env.found_docs else ""
        else:
            record = copied(name, Path(app.outdir), runs)
            found = pathto(f"{RECORDS}/{record}", 1) if record else ""
        return f'href="{found}"' if found else ""

    return LINK.sub(address, body)


def copied(key: str, site: Path, runs: Runs) -> str:
    """Copy a run's record into the site; return the file's name, empty where there is no record."""
    file = runs.locate(key)
    if file is None:
        return ""
    (site / RECORDS).mkdir(exist_ok=True)
    shutil.copyfile(file, site / RECORDS / file.name)
    return file.name
