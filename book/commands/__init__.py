"""What `python -m book` does: publish, verify, run, status."""
