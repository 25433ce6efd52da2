"""The command line of `analysis`: what is asked, where a network comes from, what is printed."""
