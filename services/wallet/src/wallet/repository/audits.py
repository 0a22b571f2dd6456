"""The checks of `social-wallet audit`: each finds nothing when the books are right."""

from collections.abc import Mapping
from typing import Final

AUDITS: Final[Mapping[str, str]] = {
    "credited_equals_debited_in_each_fund": """
        SELECT id >> 40 AS fund_number, sum(credited) - sum(debited) AS difference
        FROM accounts GROUP BY 1 HAVING sum(credited) <> sum(debited)
    """,
    "balances_are_their_postings_and_holds": """
        WITH posted AS (
            SELECT account, sum(credited)::bigint AS credited, sum(debited)::bigint AS debited FROM (
                SELECT credit_account AS account, amount_tiyn AS credited, 0 AS debited FROM postings
                UNION ALL
                SELECT debit_account, 0, amount_tiyn FROM postings
            ) AS side GROUP BY account
        ), reserved AS (
            SELECT account_id AS account, sum(amount_tiyn - released_tiyn)::bigint AS held
            FROM hold_layers GROUP BY account_id
        )
        SELECT a.id, a.credited, a.debited, a.held
        FROM accounts a
            FULL JOIN posted p ON p.account = a.id
            LEFT JOIN reserved r ON r.account = coalesce(a.id, p.account)
        WHERE (a.credited, a.debited, a.held) IS DISTINCT FROM
            (coalesce(p.credited, 0), coalesce(p.debited, 0), coalesce(r.held, 0))
    """,
    "postings_stay_within_one_fund": """
        SELECT operation_id, place FROM postings
        WHERE debit_account >> 40 <> credit_account >> 40 OR amount_tiyn <= 0
    """,
    "postings_belong_to_an_operation_that_was_done": """
        SELECT p.operation_id, p.place
        FROM postings p LEFT JOIN operations o ON o.id = p.operation_id AND o.code IS NULL WHERE o.id IS NULL
    """,
    "batches_have_their_operations_and_postings": """
        SELECT b.id FROM batches b
            LEFT JOIN (
                SELECT o.batch_id, count(DISTINCT o.id) AS operations, count(p.operation_id) AS postings
                FROM operations o LEFT JOIN postings p ON p.operation_id = o.id GROUP BY o.batch_id
            ) AS found ON found.batch_id = b.id
        WHERE (b.operations, b.postings) IS DISTINCT FROM (found.operations, found.postings)
    """,
    "closed_holds_reserve_nothing": """
        SELECT h.id FROM holds h JOIN hold_layers l ON l.hold_id = h.id
        WHERE NOT h.open AND l.released_tiyn <> l.amount_tiyn
    """,
    "holds_reserve_what_their_operation_says": """
        SELECT h.id FROM holds h JOIN operations o ON o.id = h.id
            LEFT JOIN hold_layers l ON l.hold_id = h.id
        GROUP BY h.id, o.amount_tiyn HAVING coalesce(sum(l.amount_tiyn), 0) <> o.amount_tiyn
    """,
    "layers_belong_to_the_child_of_their_hold": """
        SELECT l.hold_id, l.place FROM hold_layers l JOIN holds h ON h.id = l.hold_id
            LEFT JOIN accounts a ON a.id = l.account_id
        WHERE a.child_id IS DISTINCT FROM h.child_id
    """,
    "at_most_one_hold_is_open": """
        SELECT enrollment_id, month FROM holds WHERE open GROUP BY enrollment_id, month HAVING count(*) > 1
    """,
    "months_say_what_their_holds_are": """
        SELECT enrollment_id, month FROM enrollment_months m
            FULL JOIN (SELECT * FROM holds WHERE open) AS h USING (enrollment_id, month)
        WHERE (m.state = 'held') IS DISTINCT FROM (h.id IS NOT NULL)
            OR (h.id IS NOT NULL AND m.hold_id <> h.id)
    """,
    "ended_enrollments_hold_nothing_after_their_end": """
        SELECT h.id FROM holds h JOIN enrollments e ON e.id = h.enrollment_id
        WHERE h.open AND (e.released OR to_date(h.month, 'YYYY-MM') >= e.ends_on)
    """,
    "received_is_free_or_allotted_or_returned": """
        SELECT id >> 40 AS fund_number FROM accounts GROUP BY 1
        HAVING coalesce(sum(debited - credited) FILTER (WHERE kind = 1), 0)
            <> coalesce(sum(credited - debited) FILTER (WHERE kind <> 1), 0)
    """,
}
