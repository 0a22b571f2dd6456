"""What a long trial says while it runs, line by line. Figures have lines of their own: `rig.figures`."""

import sys


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell(text: str, *, right: bool = True) -> bool:
    """Print one outcome; whether it is right."""
    say(f"{'ok   ' if right else 'WRONG'} {text}")
    return right
