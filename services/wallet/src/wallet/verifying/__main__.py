"""The command `python -m wallet.verifying`."""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import asyncpg
import typer

from wallet.domain.proof import receipts
from wallet.domain.proof.notes import VerifierKey
from wallet.domain.proof.receipts import Proven, Receipt
from wallet.domain.proof.unproven import UnprovenError
from wallet.printing import PRINTED_BYTES_MAX, proof_in
from wallet.publishing import Folder, open_log
from wallet.settings import WalletSettings
from wallet.verifying.findings import Finding
from wallet.verifying.heads import Heads
from wallet.verifying.ledger import Ledger
from wallet.verifying.rows import Rows

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what is wrong with a file is said in our words
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
Keys = Annotated[list[str], typer.Option("--key", help="a verifier key of the log, from whom you trust")]


def _keys(texts: list[str]) -> tuple[VerifierKey, ...]:
    try:
        return tuple(map(VerifierKey.read, texts))
    except UnprovenError as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def ledger(
    database: Annotated[str, typer.Option(help="a role that may read, as postgresql://auditor@…")],
    checkpoints: Annotated[Path, typer.Option(help="the folder where heads are published", file_okay=False)],
    key: Keys,
    schema: Annotated[str, typer.Option(help="where the ledger is")] = "wallet",
) -> None:
    """Check every row that was sealed against the signed heads, and derive the balances anew."""
    if not checkpoints.is_dir():
        raise typer.BadParameter(f"there is no folder {checkpoints}")
    read, findings = asyncio.run(_verify(database, schema, checkpoints, _keys(key)))
    for finding in findings:
        typer.echo(f"{finding.what}: {finding.where}")
    typer.echo(
        f"{read.batches} batches of {read.leaves} operations and postings, {read.heads.passed} signed heads,"
        f" {read.waiting} batches wait for their seal: {len(findings) or 'nothing'} found"
    )
    raise typer.Exit(1 if findings else 0)


async def _verify(
    database: str, schema: str, checkpoints: Path, keys: tuple[VerifierKey, ...]
) -> tuple[Ledger, list[Finding]]:
    # The published heads are listed first: whatever they tell, the database must have by now.
    published = list(Folder(checkpoints).paths())
    connection = await asyncpg.connect(database, server_settings={"search_path": schema})
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            rows = Rows(connection)
            heads = Heads(keys, (path.read_text(errors="replace") for path in published), rows.heads())
            read = Ledger(rows, heads)
            return read, [finding async for finding in read.verify()]
    finally:
        await connection.close()


@app.command()
def receipt(file: Annotated[Path, typer.Argument(help="a receipt, as PDF or as JSON")], key: Keys) -> None:
    """Check a receipt: with nothing but the file and the log's verifier key."""
    if not file.is_file():
        raise typer.BadParameter(f"there is no file {file}")
    with file.open("rb") as opened:
        content = opened.read(PRINTED_BYTES_MAX + 1)
    try:
        proven = _proven(receipts.read(proof_in(content)), _keys(key))
    except UnprovenError as error:
        typer.echo(f"NOT PROVEN, {error}")
        raise typer.Exit(1) from None
    operation, batch, checkpoint = proven
    tenge, tiyn = divmod(abs(operation.amount_tiyn), 100)
    sign = "-" if operation.amount_tiyn < 0 else ""
    typer.echo(f"proven: {operation.kind} of {sign}{tenge}.{tiyn:02} tenge, operation {operation.id}")
    for name in ("child_id", "hold_id", "code"):
        if (value := getattr(operation, name)) is not None:
            typer.echo(f"  {name}: {value}")
    if operation.evidence is not None:
        typer.echo(f"  by facts whose digest has the SHA-256 {operation.evidence.hex()}")
    for person in operation.approvers:
        typer.echo(f"  agreed on by {person}")
    typer.echo(f"  posted at {batch.posted_at.isoformat()} in batch {batch.id}")
    typer.echo(f"  in the log {checkpoint.origin}, as signed when it had {checkpoint.size} batches")


def _proven(read: Receipt, keys: tuple[VerifierKey, ...]) -> Proven:
    """By the first key that proves it; otherwise what the last one said."""
    *others, last = keys
    for one in others:
        with suppress(UnprovenError):
            return receipts.verify(read, one)
    return receipts.verify(read, last)


@app.command()
def key() -> None:
    """Print the verifier keys of the log, with the settings of the worker that signs it. Tell everybody."""
    for verifier_key in open_log(WalletSettings()).verifier_keys:
        typer.echo(verifier_key)


if __name__ == "__main__":
    app()
