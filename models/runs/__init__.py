"""Runs: found or trained once, checkpointed, resumed, and written down."""
