"""Convolutional networks in torch: data, networks, training runs and their records.

Importing this package imports nothing else: a spec (`models.specs`), a record (`models.records`)
and a stored run (`models.runs.store`) can be read without loading torch.
"""
