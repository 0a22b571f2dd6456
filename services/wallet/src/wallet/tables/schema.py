"""What the modules of tables share: the metadata they belong to, and how money is written."""

from typing import Final

import sqlalchemy as sa

from shared.database import new_metadata

FUND_SHIFT: Final = 40
"""An account's number is `fund number << 40 | place`; the places below 1024 are the fund's own accounts."""

metadata = new_metadata()


def tiyn(name: str, *, default: bool = False) -> sa.Column[int]:
    """An amount of money."""
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0" if default else None)
