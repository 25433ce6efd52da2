"""Networks: as data, their parts, and how a spec becomes a torch module."""
