"""A site's style sheet has the rules that its pages use, unchanged."""

from book.builder import style_sheet

THEME = """@charset "UTF-8";
@import "../basic.css";
:root { --used: 1; --unused: url("data:image/svg+xml,<svg fill='rgb(0,0,0)'/>;{}"); --scripted: 2 }
/* a comment; {} */
.shown::after { content: "}/* no comment */"; margin: var(--used);
  padding: 0 }
.gone, .shown > a { color: red }
@media print { .gone { color: red } @supports (gap: 1px) { .shown { gap: 1px } } }
@media screen { .gone { color: red } }
@font-face { font-family: "F"; src: url(../f.woff2), url("data:x"), url(#id) }
#main .made-by-script:not(.gone) { color: blue }
"""
PAGE = '<p class="shown also" id="main"><script src="../_static/s.js?v=1"></script>'


def test_a_site_s_sheet_keeps_the_rules_and_variables_that_pages_and_scripts_ask_for(tmp_path):
    static = tmp_path / "_static"
    (static / "styles").mkdir(parents=True)
    (static / "styles" / "theme.css").write_text(THEME)
    (static / "basic.css").write_text("p { margin: 0 } .also { gap: 0 } .gone { gap: 0 }")
    (static / "s.js").write_text("add('made-by-script'); get('--scripted')")
    css = style_sheet.sheet(tmp_path, ["_static/styles/theme.css", "_static/missing.css"], [PAGE])
    assert css == (
        '@charset "UTF-8";p{margin: 0}.also{gap: 0}:root{--used: 1; --scripted: 2}'
        '.shown::after{content: "}/* no comment */"; margin: var(--used); padding: 0}'
        ".shown > a{color: red}@media print{@supports (gap: 1px){.shown{gap: 1px}}}"
        '@font-face{font-family: "F"; src: url(f.woff2), url("data:x"), url(#id)}'
        "#main .made-by-script:not(.gone){color: blue}"
    )


def test_classes_that_a_script_in_the_page_names_are_kept(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "one.css").write_text(".made { gap: 0 }")
    pages = ["<script>show('made')</script>"]
    assert ".made" in style_sheet.sheet(tmp_path, ["_static/one.css"], pages)
    assert ".made" not in style_sheet.sheet(tmp_path, ["_static/one.css"], ["<p>made</p>"])
