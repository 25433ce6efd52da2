"""What an earlier build has left in the build folder and no page of this one needs."""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from book.builder.links import RECORD, RECORDS
from book.builder.take_along import NOTEBOOKS

ENDINGS = (".glue.json", ".ipynb")  # of what MyST-NB writes for a page
CONTENT = re.compile(r"[0-9a-f]{64}")  # the name that MyST-NB gives to an output's file


def clear(app: Sphinx, gone: Iterable[str], outputs: Path) -> None:
    """Remove pages that are `gone`, and sources, images, downloads, notebooks, records of none."""
    site, env = Path(app.outdir), app.env
    pages = [app.builder.get_outfilename(name) for name in gone]  # type: ignore[attr-defined]
    if "index" not in env.found_docs:
        pages.append(site / "index.html")  # it leads to the first page, which may be another now
    for page in pages:
        _remove(Path(page), site)
    _keep(site / "_sources", {_source(app, name) for name in env.found_docs})
    shown = "".join(page.read_text(encoding="utf-8") for page in site.rglob("*.html"))
    for folder in ("_images", "_downloads", NOTEBOOKS):
        named = {path: quote(path.relative_to(site).as_posix()) for path in _files(site / folder)}
        _keep(site / folder, {path for path, name in named.items() if name in shown})
    _keep(site / RECORDS, {site / RECORDS / name for name in RECORD.findall(shown)})
    _clear_outputs(env, outputs)


def _source(app: Sphinx, name: str) -> Path:
    """Return the file in which Sphinx publishes a page's source."""
    suffix = app.env.doc2path(name, base=False)[len(name) :]
    ending = app.config.html_sourcelink_suffix
    return Path(app.outdir, "_sources", name + suffix + (ending if ending != suffix else ""))


def _clear_outputs(env: BuildEnvironment, outputs: Path) -> None:
    """Remove from MyST-NB's folder what is of no page; files that it has not named stay."""
    kept = {outputs / f"{name}{end}" for name in env.found_docs for end in ENDINGS}
    kept |= {Path(env.srcdir, image).resolve() for image in env.images}
    others = {path for path in _files(outputs) if not path.name.endswith(ENDINGS)}
    _keep(outputs, kept | {path for path in others if not CONTENT.fullmatch(path.stem)})


def _keep(folder: Path, kept: set[Path]) -> None:
    for path in _files(folder):
        if path not in kept:
            _remove(path, folder)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _remove(path: Path, root: Path) -> None:
    """Remove a file, and the folders inside `root` that are empty without it."""
    path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == root or not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()
