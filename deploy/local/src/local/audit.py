"""Whether the books are right: each service's own audit, and what they say about the same things compared.

The services' audits are theirs (`python -m wallet audit`). Compared are only ids and states, as the auditor.
"""

import subprocess

from rich.console import Console

from local import layout


async def run(system: layout.Layout, console: Console) -> bool:
    """Print a line for each audit; whether all are clean."""
    clean = True
    for service in layout.SERVICES:
        program = system.program(service, "audit")
        done = subprocess.run(program.command, env=program.environment, check=False)  # noqa: ASYNC221, S603 - alone here
        console.print(f"{service}: {'clean' if done.returncode == 0 else 'NOT CLEAN'}")
        clean = clean and done.returncode == 0
    return clean
