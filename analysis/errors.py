"""What this package raises when a user asks for something impossible."""


class AnalysisError(ValueError):
    """An impossible layer, input or name; the message is one line that says what was expected and
    what came.
    """
