"""What `python -m book` does: publish, verify, certify, run, status."""
