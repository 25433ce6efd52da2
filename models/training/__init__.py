"""Training: the loop, its schedules and augmentation, and what a run measures of itself."""
