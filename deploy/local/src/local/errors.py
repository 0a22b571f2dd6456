"""The one error of the local system: a thing cannot be done, and the message tells a person why."""


class LocalError(Exception):
    """Says why it cannot be done and what to do."""
