"""The appendix: the data, every run, and how fast they are trained."""
