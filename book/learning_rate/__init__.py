"""Part II, learning rate and batch size, with what its chapters share."""
