"""Our training measured against its peers', and what the chapter on performance makes of it."""
