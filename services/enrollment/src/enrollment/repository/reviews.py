"""Whether a program's unfunded enrollments of a month end by themselves: judged once, at the grace's end."""

from uuid import UUID

import sqlalchemy as sa

from enrollment.domain.enrollment import MonthState, State
from enrollment.domain.reviews import Review
from enrollment.tables import enrollments, months, programs, reviews
from shared.approvals import proposals
from shared.database import Transaction


async def find(tx: Transaction, program_id: UUID, month: str) -> Review | None:
    """The verdict, if there is one. Locks the program: it is made once."""
    await tx.execute(sa.select(programs.c.id).filter_by(id=program_id).with_for_update())
    row = (await tx.execute(sa.select(reviews).filter_by(program_id=program_id, month=month))).mappings()
    found = row.first()
    return Review(**found) if found else None


async def lock(tx: Transaction, review_id: UUID) -> Review | None:
    """A verdict, locked and read after that."""
    await tx.execute(sa.select(reviews.c.id).filter_by(id=review_id).with_for_update())
    row = (await tx.execute(sa.select(reviews).filter_by(id=review_id))).mappings().first()
    return Review(**row) if row else None


async def is_rejected(tx: Transaction, review: Review) -> bool:
    """Whether an administrator said that they do not end."""
    state = await tx.execute(sa.select(proposals.c.state).filter_by(id=review.proposal_id))
    return state.scalar() == "rejected"


async def ask(tx: Transaction, review_id: UUID, proposal_id: UUID) -> None:
    """Note what an administrator is asked."""
    await tx.execute(sa.update(reviews).filter_by(id=review_id).values(proposal_id=proposal_id))


async def count(tx: Transaction, program_id: UUID, month: str) -> tuple[int, int]:
    """Of the program's enrollments that want this month: how many are unfunded, and how many there are."""
    row = (
        await tx.execute(
            sa.select(
                sa.func.count().filter(months.c.state == MonthState.UNFUNDED).label("unfunded"),
                sa.func.count().label("enrolled"),
            )
            .join(enrollments, enrollments.c.id == months.c.enrollment_id)
            .where(enrollments.c.program_id == program_id, months.c.month == month)
        )
    ).one()
    return row.unfunded, row.enrolled


async def add(tx: Transaction, review: Review) -> None:
    """Write a verdict."""
    await tx.execute(
        sa.insert(reviews).values({column.name: getattr(review, column.name) for column in reviews.columns})
    )


async def decide_to_end(tx: Transaction, program_id: UUID, month: str) -> None:
    """An administrator says that these enrollments end."""
    await tx.execute(sa.update(reviews).filter_by(program_id=program_id, month=month).values(verdict="end"))


async def unfunded(tx: Transaction, program_id: UUID, month: str) -> list[UUID]:
    """The confirmed enrollments of the program that have no money for this month."""
    rows = await tx.execute(
        sa.select(enrollments.c.id)
        .join(months, months.c.enrollment_id == enrollments.c.id)
        .where(enrollments.c.program_id == program_id, enrollments.c.state == State.CONFIRMED)
        .where(months.c.month == month, months.c.state == MonthState.UNFUNDED)
    )
    return list(rows.scalars())
