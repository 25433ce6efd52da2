"""What Python's syntax tells of a book's modules: statements, names, and what they lead to."""
