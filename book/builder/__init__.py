"""What turns chapters into a site: papermill execution, staleness, provenance, and the Sphinx
extension.
"""
