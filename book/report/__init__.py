"""What the chapters of all parts share: experiments, comparisons, figures, tables, prose."""
