"""Proofs for those who ask: that an operation is in the signed log, and that one log continues another."""

from uuid import UUID

from shared.database import Transaction
from shared.errors import ConflictError, NotFoundError
from shared.security import Principal
from wallet.domain.proof.checkpoints import Checkpoint
from wallet.domain.proof.leaves import batch_leaf, batch_leaves, operation_leaf, seal
from wallet.domain.proof.notes import read_text
from wallet.domain.proof.paths import consistency_spans, inclusion_spans
from wallet.domain.proof.receipts import Included, Receipt
from wallet.repository import seals
from wallet.usecases.sealing import hash_of_spans


async def read_receipt(tx: Transaction, principal: Principal, operation_id: UUID) -> Receipt:
    """The proof of one operation, for its child's guardians, its provider's directors, and overseers.

    Raises:
        NotFoundError: there is no such operation, or not for this person.
        ConflictError: it is not sealed yet; in a second it is.
    """
    driver = await tx.driver()
    found = await seals.find_place(driver, principal, operation_id)
    if found is None:
        raise NotFoundError
    note = await seals.find_note(driver)
    if found.place is None or note is None:
        raise ConflictError("not_sealed")
    content = (await seals.read_contents(driver, [found.batch_id]))[found.batch_id]
    (operation,) = [one for one in content.operations if one.id == operation_id]
    size = Checkpoint.read(read_text(note)).size
    path = await hash_of_spans(driver, inclusion_spans(found.place, size))
    return Receipt(
        Included.among(batch_leaves(*content), operation_leaf(operation)),
        Included(batch_leaf(seal(found.batch_id, found.posted_at, *content)), found.place, path),
        note,
    )


async def read_head(tx: Transaction, size: int | None = None) -> str:
    """The head that was signed when the log had this size; without one, the last.

    Raises:
        NotFoundError: none was.
    """
    note = await seals.find_note(await tx.driver(), size)
    if note is None:
        raise NotFoundError
    return note


async def read_consistency(tx: Transaction, old: int, new: int) -> tuple[bytes, ...]:
    """What shows that the log of the new size begins with all of the old one.

    Raises:
        NotFoundError: the log was never as long, or the new one is shorter.
    """
    driver = await tx.driver()
    if not 0 <= old <= new <= (await seals.read_head(driver)).size:
        raise NotFoundError
    return await hash_of_spans(driver, consistency_spans(old, new))
