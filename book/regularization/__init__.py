"""Part I, regularization: batch norm, dropout and both, measured; with what its chapters share."""
