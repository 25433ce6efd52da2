"""What `python -m book` does: build, preview, status, graph, new, run, publish, verify, certify."""
