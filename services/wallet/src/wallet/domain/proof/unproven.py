"""What every check of a proof answers when it fails."""


class UnprovenError(Exception):
    """It does not follow from what was given. `check` is stable and names what failed, the text says how."""

    def __init__(self, check: str, detail: str) -> None:
        self.check = check
        self.detail = detail
        super().__init__(f"{check}: {detail}")
