"""What this package raises when a user asks for something impossible."""


class AnalysisError(ValueError):
    """An impossible layer, input or name; its message is one line: what was expected, what came."""
