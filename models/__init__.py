"""Convolutional networks in torch: data, networks, training runs and their records.

Importing this package imports nothing else: a spec (`models.specs`), a record (`models.records`)
and a stored run (`models.runs.store`) can be read without loading torch.

It has the threads that torch will start sleep while they wait for one another, unless the
environment says otherwise: beside another busy process, threads that spin take from each other the
cores that they wait for. OpenMP reads that when torch is loaded, so import this package first.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
