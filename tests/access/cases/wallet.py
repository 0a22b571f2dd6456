"""The wallet's endpoints. Administrators' and auditors' own things are those of their region."""

from access.cases import (
    EMPTY,
    NOT_FOUND,
    REJECTION,
    WATCHED,
    ByRole,
    Case,
    always,
    for_everyone,
    listed,
    listed_of_any,
    own,
    public,
)

NAMES = {"kk": "Бағдарлама", "ru": "Программа", "en": "Program"}
OF_REGION: ByRole = {"administrator": own(), "auditor": own()}
OF_OPERATION: ByRole = {"guardian": own(), "director": own(), **WATCHED}
PAYEE = {"iban": "KZ64722S000001234567", "name": "ТОО «Клуб»", "bin": "100140000003"}
PROGRAM = {
    "region_id": "$region",
    "name": NAMES,
    "place": 3,
    "starts_on": "2026-12-01",
    "ends_on": "2027-05-31",
    "rules": {"monthly_rate_tiyn": 1_000_000},
}
RULES = {"valid_from": "2027-01-01", "rules": {"monthly_rate_tiyn": 1_000_000}}
MRP = {"valid_from": "2027-01-01", "amount_tiyn": 460_000}
FUND = {
    "program_id": "=program",
    "region_id": "$region",
    "funder": NAMES,
    "name": NAMES,
    "mode": "on_hold",
    "budget_tiyn": 10**9,
    "last_capture_on": "2027-05-31",
}
RETURN = {"amount_tiyn": 5, "bank_reference": "PP-1"}
"""There is nothing to return or to repay: whoever may ask is told so."""
REPAYMENT = {"provider_id": "$provider", "amount_tiyn": 5, "bank_reference": "IN-1"}
CORRECTION = {
    "debit": "fund",
    "credit": "returned",
    "amount_tiyn": 5,
    "operation_id": "$deposit",
    "reason": "Қате",
}
QUOTE = {"child_id": "$child", "group_id": "=group", "starts_on": "2026-12-01"}

CASES: dict[str, Case] = {
    "GET /v1/charges": Case(
        {"guardian": own(), "director": own(), **WATCHED},
        others=NOT_FOUND,
        query={"enrollment_id": "$enrollment", "month": "2026-10"},
    ),
    "GET /v1/payable-items": Case(
        {"director": own(), "administrator": listed_of_any(), "auditor": listed_of_any()},
        query={"provider_id": "$provider", "month": "2026-10"},
    ),
    "POST /v1/providers/{provider_id}/payee": Case({"director": own(202)}, body=PAYEE),
    "GET /v1/providers/{provider_id}/payee": Case({"director": own(), **WATCHED}, others=NOT_FOUND),
    "POST /v1/payout-runs": Case({"administrator": own(202)}, body={"fund_id": "$fund"}),
    "GET /v1/payout-runs/{run_id}": Case(OF_REGION, others=NOT_FOUND),
    "GET /v1/payouts/{payout_id}": Case({"director": own(), **OF_REGION}, others=NOT_FOUND),
    "POST /v1/programs": Case({"administrator": own(202)}, body=PROGRAM),
    "GET /v1/programs": Case(others=listed_of_any(), lists="program"),
    "GET /v1/programs/{program_id}": public(),
    "POST /v1/programs/{program_id}/replay": Case(OF_REGION, body={"month": "2026-10", "version": 1}),
    "POST /v1/programs/{program_id}/rules": Case({"administrator": own(202)}, body=RULES),
    "GET /v1/log/checkpoint": for_everyone(without_token=True),
    "GET /v1/log/consistency": for_everyone(without_token=True, query={"old": "0", "new": "1"}),
    "GET /v1/receipts/{operation_id}": Case(OF_OPERATION, others=NOT_FOUND),
    "GET /v1/receipts/{operation_id}/pdf": Case(OF_OPERATION, others=NOT_FOUND),
    "GET /v1/mrp": for_everyone(),
    "POST /v1/mrp": Case({"administrator": always(202)}, body=MRP),
    "POST /v1/funds": Case({"administrator": own(202)}, body=FUND),
    "GET /v1/funds": Case(others=listed_of_any(), lists="fund"),
    "GET /v1/funds/{fund_id}": public(),
    "POST /v1/funds/{fund_id}/deposits": Case({"administrator": own(201)}, body={"amount_tiyn": 5}),
    "POST /v1/funds/{fund_id}/returns": Case({"administrator": own(409)}, body=RETURN),
    "POST /v1/funds/{fund_id}/repayments": Case({"administrator": own(409)}, body=REPAYMENT),
    "POST /v1/funds/{fund_id}/corrections": Case({"administrator": own(202)}, body=CORRECTION),
    "POST /v1/funding-runs": Case(
        {"administrator": own(201)}, body={"fund_id": "$ahead", "until": "2026-12-31", "dry_run": True}
    ),
    "GET /v1/funding-runs/{run_id}": Case(OF_REGION, others=NOT_FOUND, path={"run_id": "funding_run"}),
    "GET /v1/funding-runs/{run_id}/left-out": Case(
        {"administrator": own(EMPTY), "auditor": own(EMPTY)}, others=NOT_FOUND, path={"run_id": "funding_run"}
    ),
    "POST /v1/funding-runs/{run_id}/pause": Case({"administrator": own()}, path={"run_id": "funding_run"}),
    "POST /v1/funding-runs/{run_id}/resume": Case({"administrator": own()}, path={"run_id": "funding_run"}),
    "GET /v1/trace/payouts/{payout_id}": Case(OF_REGION),
    "GET /v1/trace/enrollments/{enrollment_id}": Case(OF_REGION),
    "GET /v1/trace/funds/{fund_id}": Case(OF_REGION),
    "POST /v1/quotes": Case({"guardian": own()}, others=NOT_FOUND, body=QUOTE),
    "GET /v1/wallets/{child_id}": Case({"guardian": own(), **WATCHED}, others=NOT_FOUND),
    "GET /v1/funds/{fund_id}/trial-balance": Case(OF_REGION),
    "GET /v1/ledger/operations/{operation_id}": Case(OF_REGION),
    "GET /v1/control-totals": Case(
        {"administrator": listed(), "auditor": listed()}, query={"month": "2026-10"}, lists="fund"
    ),
    "GET /v1/ledger/export": Case(OF_REGION, query={"fund_id": "$fund"}),
    "GET /v1/ledger/postings": Case(OF_REGION, query={"fund_id": "$fund"}),
    "GET /v1/funds/{fund_id}/report": Case(OF_REGION, query={"month": "2026-10"}),
    "POST /v1/funds/{fund_id}/month-locks": Case(
        {"administrator": own(202), "auditor": own(202)}, body={"month": "2026-10"}
    ),
    "GET /v1/wallets/{child_id}/balance": Case({"guardian": own(), **WATCHED}, others=NOT_FOUND),
    "GET /v1/wallets/{child_id}/movements": Case({"guardian": own(), **WATCHED}, others=NOT_FOUND),
    "GET /v1/approvals": Case({"administrator": listed()}, others=always(EMPTY), lists="proposal"),
    "POST /v1/approvals/{proposal_id}/approve": Case({"administrator": own()}, others=NOT_FOUND),
    "POST /v1/approvals/{proposal_id}/reject": Case(
        {"administrator": own()}, others=NOT_FOUND, body=REJECTION
    ),
    "GET /v1/audit-entries": Case({"auditor": listed_of_any()}, lists="proposal"),
}
