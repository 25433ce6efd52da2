"""Data sets: what is known of them, where they are found, and how they become tensors."""
