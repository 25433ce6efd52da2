"""What turns a book's chapters into a site: execution, staleness, provenance, the Sphinx extension.

It knows no subject: what it must know of a book stands in the book's `_config.yml`
(`book.builder.options`).
"""
