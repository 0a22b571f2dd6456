"""What `verify` may find. What it is called is stable: others sort by it."""

from enum import StrEnum
from typing import NamedTuple


class Found(StrEnum):
    """What is not as it was signed, or not as it must be."""

    HEAD_UNREADABLE = "head_unreadable"
    """A published head is no checkpoint, or the key did not sign it."""
    HEAD_CHANGED = "head_changed"
    """The database tells another head than was published, or one that nobody signed."""
    HEAD_MISSING = "head_missing"
    """It was published, and the database does not have it."""
    LOG_CUT = "log_cut"
    LOG_REWRITTEN = "log_rewritten"
    """The leaves up to a signed head do not give its root, neither as stored nor as computed."""
    ENTRY_MISSING = "entry_missing"
    ENTRY_CHANGED = "entry_changed"
    """A leaf's stored hash or number is not what was signed; the rows of its batch are."""
    NODE_WRONG = "node_wrong"
    """A stored subtree is changed, missing, or of no part of the log."""
    BATCH_CHANGED = "batch_changed"
    """Its rows are not those that were sealed: changed, added or removed."""
    BATCH_MISSING = "batch_missing"
    """It is in the log, and there is none."""
    BATCH_NOT_SEALED = "batch_not_sealed"
    """It appeared where all had been sealed."""
    WITHOUT_BATCH = "without_batch"
    """An operation, or what belongs to one, whose batch is not there."""
    BOOKS = "books"
    """A check of the books: what is derived from sealed rows is not what is told."""


class Finding(NamedTuple):
    """One trace of something that nobody should have done."""

    what: Found
    where: str
