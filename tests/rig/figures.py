"""The lines in which `make bench` and `make soak` say what they measured, one a figure, for machines too.

`FIGURE <name> <value> <unit> aim <aim> ok|short`; the aim is `-` where none was set.
"""

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

DIGITS = 3


def tell(name: str, value: float, unit: str, aim: str = "-", *, reached: bool = True) -> bool:
    """Print one figure; whether its aim was reached."""
    shown = f"{value:.{DIGITS}g}" if abs(value) < 10**DIGITS else f"{value:.0f}"
    sys.stdout.write(f"FIGURE {name} {shown} {unit} aim {aim} {'ok' if reached else 'short'}\n")
    sys.stdout.flush()
    return reached


def tell_below(name: str, value: float, unit: str, most: float) -> bool:
    """Print a figure that must not be above something."""
    return tell(name, value, unit, f"<={most:g}", reached=value <= most)


def tell_above(name: str, value: float, unit: str, least: float) -> bool:
    """Print a figure that must not be below something."""
    return tell(name, value, unit, f">={least:g}", reached=value >= least)


def percentile(values: Sequence[float], percent: int) -> float:
    """So many percent of the values are not above it; a single value is each of its percentiles."""
    return statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else values[0]


def memory(pid: int, *, shared: bool = True) -> float:
    """The PSS of a process in MB, with or without what it has of shared memory; 0 if it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return (kilobytes["Pss"] - (0 if shared else kilobytes["Pss_Shmem"])) / 1024
