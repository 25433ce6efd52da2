"""Part III, architecture arithmetic, with what its chapters share."""
