"""What is wrong with the text of a condition, and where."""


class ExpressionError(ValueError):
    """A text that is not a condition: what is wrong, at which column (from 1)."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column
