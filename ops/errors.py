"""The one exception for what an operator can mend: its message is the whole answer, and no stack trace follows it."""


class OperatorError(Exception):
    """One sentence that names what is wrong, what is allowed and the remedy."""
