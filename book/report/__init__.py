"""What the chapters of more than one part use: experiments, statistics, figures, tables and numbers
for the prose.
"""
