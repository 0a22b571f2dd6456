"""The wallet's tables. What keeps them as they are (triggers, rights) stands in the migrations.

Postings, operations and batches are insert-only, and so are charges, signatures, what happened to items, what
the bank said, whom funding runs left out, and the log that seals it all. An account's number is its fund's
number and a place: that both sides of a posting belong to one fund is thereby a CHECK on the posting itself.
"""

from wallet.tables.charges import charges, item_entries, month_facts, payable_items, signed_revisions
from wallet.tables.ledger import (
    accounts,
    allotment_places,
    allotment_sweeps,
    approved_operations,
    batches,
    enrollment_months,
    enrollments,
    hold_layers,
    holds,
    operations,
    postings,
    repeated_holds,
    wallets,
)
from wallet.tables.months import month_locks
from wallet.tables.payouts import bank_reports, payees, payout_runs, payouts
from wallet.tables.programs import (
    entitlements,
    funding_run_left_out,
    funding_runs,
    funds,
    group_months,
    groups,
    mrp,
    program_rules,
    programs,
)
from wallet.tables.proof import checkpoints, log_entries, log_nodes, payout_approvers
from wallet.tables.recovery import bank_days, bank_lines, recoveries
from wallet.tables.schema import FUND_SHIFT, metadata

__all__ = [
    "FUND_SHIFT",
    "accounts",
    "allotment_places",
    "allotment_sweeps",
    "approved_operations",
    "bank_days",
    "bank_lines",
    "bank_reports",
    "batches",
    "charges",
    "checkpoints",
    "enrollment_months",
    "enrollments",
    "entitlements",
    "funding_run_left_out",
    "funding_runs",
    "funds",
    "group_months",
    "groups",
    "hold_layers",
    "holds",
    "item_entries",
    "log_entries",
    "log_nodes",
    "metadata",
    "month_facts",
    "month_locks",
    "mrp",
    "operations",
    "payable_items",
    "payees",
    "payout_approvers",
    "payout_runs",
    "payouts",
    "postings",
    "program_rules",
    "programs",
    "recoveries",
    "repeated_holds",
    "signed_revisions",
    "wallets",
]
