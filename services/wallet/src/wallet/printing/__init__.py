"""Receipts on paper: what a proof says, for people, with the proof itself attached to the file.

Only what the proof proves is printed, so that nothing on the page has to be believed.
"""

from functools import cache
from importlib.resources import files
from io import BytesIO

from shared import clock
from shared.texts import LanguageCode, Texts
from wallet.domain.proof import receipts
from wallet.domain.proof.checkpoints import Checkpoint
from wallet.domain.proof.leaves import read_batch, read_operation
from wallet.domain.proof.notes import read_text
from wallet.domain.proof.receipts import RECEIPT_LENGTH_MAX, Receipt
from wallet.domain.proof.unproven import UnprovenError

ATTACHED = "receipt.json"
PRINTED_BYTES_MAX = 1_000_000
_LABELS = ("title", "what", "amount", "at", "child", "code", "operation", "log", "proof", "check")


def printed(receipt: Receipt, language: LanguageCode) -> bytes:
    """The receipt as PDF."""
    texts = Texts.of("wallet")
    operation, batch = read_operation(receipt.operation.leaf), read_batch(receipt.batch.leaf)
    checkpoint = Checkpoint.read(read_text(receipt.checkpoint))
    labels = {f"label-{name}": texts.translate(language, f"receipt.{name}") for name in _LABELS}
    tenge, tiyn = divmod(abs(operation.amount_tiyn), 100)
    sign = "−" if operation.amount_tiyn < 0 else ""
    facts = {
        "what": texts.translate(language, f"sealed.{operation.kind}"),
        "amount": f"{sign}{tenge:,}".replace(",", "\u202f") + f",{tiyn:02}\u202f₸",
        "at": f"{batch.posted_at.astimezone(clock.CIVIL):%d.%m.%Y %H:%M:%S}",
        "child": str(operation.child_id or ""),
        "code": texts.translate(language, operation.code) if operation.code else "",
        "operation": str(operation.id),
        "log": f"{checkpoint.origin}, {receipt.batch.place + 1} / {checkpoint.size}",
    }
    import typst  # noqa: PLC0415 - 30 MB that a process which prints nothing does without

    given = {"language": language, "attached": ATTACHED, "receipt": receipts.write(receipt)}
    return bytes(typst.compile(_template(), sys_inputs=labels | facts | given, ignore_system_fonts=True))


@cache
def _template() -> bytes:
    return (files("wallet.printing") / "receipt.typ").read_bytes()


def proof_in(content: bytes) -> str:
    """The text of the proof in a file that somebody brings: attached to a PDF, or the file itself.

    Raises:
        UnprovenError: there is none.
    """
    if len(content) > PRINTED_BYTES_MAX:
        raise UnprovenError("file", "it is too large")
    if content.startswith(b"%PDF-"):
        content = _attached(content)
    try:
        return content[: 4 * RECEIPT_LENGTH_MAX].decode()
    except UnicodeDecodeError:
        raise UnprovenError("file", "it is no text") from None


def _attached(content: bytes) -> bytes:
    from pypdf import PdfReader  # noqa: PLC0415 - only whoever verifies a printed receipt needs it
    from pypdf.errors import PyPdfError  # noqa: PLC0415 - see above

    try:
        (found,) = PdfReader(BytesIO(content)).attachments[ATTACHED]
    except (PyPdfError, KeyError, ValueError, TypeError, RecursionError):
        raise UnprovenError("file", f"there is no {ATTACHED} in this PDF") from None
    return bytes(found)
