"""The checks of `social-wallet audit`: each finds nothing when the books are right."""

from collections.abc import Mapping
from typing import Final

_LEDGER: Final[Mapping[str, str]] = {
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
            SELECT account_id AS account, sum(amount_tiyn - released_tiyn - captured_tiyn)::bigint AS held
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
    "received_is_free_or_allotted_or_owed_or_paid_or_returned": """
        SELECT id >> 40 AS fund_number FROM accounts GROUP BY 1
        HAVING coalesce(sum(debited) FILTER (WHERE kind = 1), 0)
            <> coalesce(sum(credited - debited) FILTER (WHERE kind IN (2, 3, 5, 7, 16)), 0)
                + coalesce(sum(credited) FILTER (WHERE kind = 1), 0)
    """,
    "what_left_the_bank_was_paid_or_given_back_or_no_deposit": """
        SELECT f.id FROM funds f JOIN accounts a ON a.id = f.number::bigint << 40 | 1
            LEFT JOIN (
                SELECT i.fund_id, sum(e.amount_tiyn) AS amount_tiyn
                FROM payable_items i JOIN item_entries e ON e.item_id = i.id AND e.kind = 'settle'
                GROUP BY i.fund_id
            ) AS paid ON paid.fund_id = f.id
            LEFT JOIN (
                SELECT fund_id, sum(amount_tiyn) AS amount_tiyn FROM approved_operations
                WHERE credit = 'bank' GROUP BY fund_id
            ) AS agreed ON agreed.fund_id = f.id
        WHERE a.credited <> coalesce(paid.amount_tiyn, 0) + coalesce(agreed.amount_tiyn, 0)
    """,
    "what_two_persons_agreed_on_is_in_the_ledger": """
        SELECT coalesce(a.operation_id, o.id) AS operation_id
        FROM approved_operations a
            FULL JOIN (
                SELECT * FROM operations WHERE kind IN ('return', 'recover', 'correct') AND code IS NULL
            ) AS o ON o.id = a.operation_id
        WHERE a.operation_id IS NULL OR o.id IS NULL OR a.amount_tiyn <> o.amount_tiyn
            OR (a.corrects IS NOT NULL) <> (o.kind = 'correct')
    """,
    "nothing_is_corrected_beyond_what_it_moved": """
        SELECT a.corrects, a.fund_id FROM approved_operations a JOIN funds f ON f.id = a.fund_id
        WHERE a.corrects IS NOT NULL GROUP BY a.corrects, a.fund_id, f.number
        HAVING sum(a.amount_tiyn) > coalesce((
            SELECT sum(p.amount_tiyn) FROM postings p
            WHERE p.operation_id = a.corrects AND p.debit_account >> 40 = f.number
        ), 0)
    """,
    "allotments_whose_day_was_seen_off_have_nothing_free": """
        SELECT a.id FROM allotment_sweeps s JOIN funds f ON f.id = s.fund_id
            JOIN accounts a ON a.kind = 16 AND a.id >> 40 = f.number
        WHERE s.after_account IS NULL AND a.expires_on < s.day AND a.credited > a.debited + a.held
    """,
    "what_went_back_unused_is_empty": """
        SELECT id FROM accounts WHERE given_back AND (kind <> 16 OR credited > debited OR held > 0)
    """,
    "receivable_is_claimed": """
        SELECT id >> 40 AS fund_number FROM accounts GROUP BY 1
        HAVING coalesce(sum(debited - credited) FILTER (WHERE kind = 6), 0)
            <> coalesce(sum(credited - debited) FILTER (WHERE kind = 4), 0)
    """,
}

_HOLDS: Final[Mapping[str, str]] = {
    "closed_holds_reserve_nothing": """
        SELECT h.id FROM holds h JOIN hold_layers l ON l.hold_id = h.id
        WHERE NOT h.open AND l.released_tiyn + l.captured_tiyn <> l.amount_tiyn
    """,
    "holds_reserve_what_their_operation_says": """
        SELECT h.id FROM holds h JOIN operations o ON o.id = h.id AND o.kind = 'hold'
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
        WHERE (m.state = 'held' AND h.id IS NULL)
            OR (h.id IS NOT NULL AND (m.hold_id IS DISTINCT FROM h.id OR m.state NOT IN ('held', 'charged')))
    """,
    "ended_enrollments_hold_nothing_after_their_end": """
        SELECT h.id FROM holds h JOIN enrollments e ON e.id = h.enrollment_id
            JOIN enrollment_months m ON (m.enrollment_id, m.month) = (h.enrollment_id, h.month)
        WHERE h.open AND m.state <> 'charged'
            AND (e.released OR to_date(h.month, 'YYYY-MM') >= e.ends_on)
    """,
}

_CHARGES: Final[Mapping[str, str]] = {
    "months_say_what_was_charged_last": """
        SELECT enrollment_id, month FROM enrollment_months m
            FULL JOIN (
                SELECT DISTINCT ON (enrollment_id, month) * FROM charges
                ORDER BY enrollment_id, month, revision DESC
            ) AS c USING (enrollment_id, month)
        WHERE (m.state = 'charged') IS DISTINCT FROM (c.revision IS NOT NULL) OR c.revision IS NOT NULL
            AND (m.revision, m.captured_tiyn, m.disputed_tiyn, m.uncovered_tiyn, m.frozen)
                <> (c.revision, c.captured_tiyn, c.disputed_tiyn, c.uncovered_tiyn, c.frozen)
    """,
    "captured_is_what_the_lessons_cost": """
        SELECT enrollment_id, month, revision FROM charges
        WHERE captured_tiyn + uncovered_tiyn < cost_tiyn
            OR (captured_tiyn > cost_tiyn) <> frozen OR (uncovered_tiyn > 0 AND captured_tiyn > cost_tiyn)
    """,
    "what_is_owed_for_a_month_is_what_was_captured": """
        SELECT enrollment_id, month FROM enrollment_months m LEFT JOIN (
            SELECT enrollment_id, month, sum(amount_tiyn - claimed_tiyn) AS owed_tiyn
            FROM payable_items GROUP BY enrollment_id, month
        ) AS i USING (enrollment_id, month)
        WHERE m.captured_tiyn <> coalesce(i.owed_tiyn, 0)
    """,
    "layers_captured_what_their_items_are": """
        SELECT enrollment_id, month, fund_id FROM (
            SELECT h.enrollment_id, h.month, f.id AS fund_id, sum(l.captured_tiyn) AS captured_tiyn
            FROM hold_layers l JOIN holds h ON h.id = l.hold_id JOIN funds f ON f.number = l.account_id >> 40
            WHERE l.captured_tiyn > 0 GROUP BY 1, 2, 3
        ) AS l FULL JOIN (
            SELECT enrollment_id, month, fund_id, sum(amount_tiyn) AS amount_tiyn
            FROM payable_items WHERE amount_tiyn > 0 GROUP BY 1, 2, 3
        ) AS i USING (enrollment_id, month, fund_id)
        WHERE l.captured_tiyn IS DISTINCT FROM i.amount_tiyn
    """,
    "disputed_money_is_still_held": """
        SELECT m.enrollment_id, m.month FROM enrollment_months m
            LEFT JOIN holds h ON h.open AND (h.enrollment_id, h.month) = (m.enrollment_id, m.month)
            LEFT JOIN hold_layers l ON l.hold_id = h.id
        WHERE m.state = 'charged' GROUP BY m.enrollment_id, m.month, m.disputed_tiyn
        HAVING coalesce(sum(l.amount_tiyn - l.released_tiyn - l.captured_tiyn), 0) <> m.disputed_tiyn
    """,
}

_ITEMS: Final[Mapping[str, str]] = {
    "unpaid_items_are_the_payable_accounts": """
        SELECT provider_id, fund_id FROM (
            SELECT a.provider_id, f.id AS fund_id, a.credited - a.debited AS payable_tiyn
            FROM accounts a JOIN funds f ON f.number = a.id >> 40 WHERE a.kind = 5
        ) AS a FULL JOIN (
            SELECT provider_id, fund_id, sum(amount_tiyn) AS amount_tiyn FROM payable_items
            WHERE stage IN ('charged', 'due', 'in_run') GROUP BY provider_id, fund_id
        ) AS i USING (provider_id, fund_id)
        WHERE coalesce(a.payable_tiyn, 0) <> coalesce(i.amount_tiyn, 0)
    """,
    "items_on_their_way_are_the_payout_accounts": """
        SELECT payout_id FROM (
            SELECT payout_id, credited - debited AS on_its_way_tiyn FROM accounts WHERE kind = 7
        ) AS a FULL JOIN (
            SELECT payout_id, sum(amount_tiyn) AS amount_tiyn FROM payable_items
            WHERE stage IN ('submitting', 'sent') GROUP BY payout_id
        ) AS i USING (payout_id)
        WHERE coalesce(a.on_its_way_tiyn, 0) <> coalesce(i.amount_tiyn, 0)
    """,
    "claims_are_the_receivable_accounts": """
        SELECT provider_id, fund_id FROM (
            SELECT a.provider_id, f.id AS fund_id, a.debited - a.credited AS receivable_tiyn
            FROM accounts a JOIN funds f ON f.number = a.id >> 40 WHERE a.kind = 6
        ) AS a FULL JOIN (
            SELECT provider_id, fund_id, sum(claimed_tiyn - recovered_tiyn) AS claimed_tiyn FROM payable_items
            GROUP BY provider_id, fund_id
        ) AS i USING (provider_id, fund_id)
        WHERE coalesce(a.receivable_tiyn, 0) <> coalesce(i.claimed_tiyn, 0)
    """,
    "items_are_what_was_done_with_them": """
        SELECT i.id FROM payable_items i LEFT JOIN (
            SELECT item_id,
                sum(CASE kind WHEN 'capture' THEN amount_tiyn WHEN 'refund' THEN -amount_tiyn ELSE 0 END)
                    AS amount_tiyn,
                sum(CASE kind WHEN 'claw_back' THEN amount_tiyn WHEN 'withdraw_claim' THEN -amount_tiyn
                    ELSE 0 END) AS claimed_tiyn,
                coalesce(sum(amount_tiyn) FILTER (WHERE kind = 'recover'), 0) AS recovered_tiyn
            FROM item_entries GROUP BY item_id
        ) AS e ON e.item_id = i.id
        WHERE (i.amount_tiyn, i.claimed_tiyn, i.recovered_tiyn)
            IS DISTINCT FROM (e.amount_tiyn, e.claimed_tiyn, e.recovered_tiyn)
    """,
    "items_are_settled_at_most_once": """
        SELECT item_id FROM item_entries WHERE kind = 'settle' GROUP BY item_id HAVING count(*) > 1
        UNION ALL
        SELECT i.id FROM payable_items i WHERE (i.stage = 'settled')
            <> EXISTS (SELECT FROM item_entries e WHERE e.item_id = i.id AND e.kind = 'settle')
    """,
    "items_leave_once_unless_they_bounced": """
        SELECT item_id FROM (
            SELECT item_id, count(*) FILTER (WHERE kind = 'pay_out') AS left_times,
                count(*) FILTER (WHERE kind = 'bounce') AS came_back
            FROM item_entries GROUP BY item_id
        ) AS e WHERE left_times NOT BETWEEN came_back AND came_back + 1
    """,
    "frozen_months_have_frozen_items_until_they_leave": """
        SELECT i.id FROM payable_items i
            JOIN enrollment_months m ON (m.enrollment_id, m.month) = (i.enrollment_id, i.month)
        WHERE (i.stage IN ('charged', 'due', 'in_run') AND i.frozen <> m.frozen)
            OR (i.frozen AND i.stage NOT IN ('charged', 'due'))
    """,
    "items_are_due_because_their_facts_were_signed": """
        SELECT i.id FROM payable_items i
        WHERE i.stage <> 'void' AND (i.stage <> 'charged') <> EXISTS (
            SELECT FROM signed_revisions s JOIN charges c USING (enrollment_id, month, revision, digest)
            WHERE (s.enrollment_id, s.month) = (i.enrollment_id, i.month) AND s.revision >= i.revision
        )
    """,
    "orders_are_what_their_items_are": """
        SELECT p.id FROM payouts p LEFT JOIN (
            SELECT payout_id, count(*) AS items, sum(amount_tiyn) AS amount_tiyn,
                bool_and(stage = 'in_run') AS waiting, bool_and(stage IN ('submitting', 'sent')) AS leaving,
                bool_and(stage = 'settled') AS settled
            FROM payable_items WHERE payout_id IS NOT NULL GROUP BY payout_id
        ) AS i ON i.payout_id = p.id
        WHERE p.state <> 'bounced' AND (p.items, p.amount_tiyn) IS DISTINCT FROM (i.items, i.amount_tiyn)
            OR (p.state = 'bounced') <> (i.payout_id IS NULL)
            OR (p.state = 'prepared') <> coalesce(i.waiting, false)
            OR (p.state = 'settled') <> coalesce(i.settled, false)
            OR (p.state IN ('submitting', 'sent', 'accepted', 'unknown')) <> coalesce(i.leaving, false)
    """,
    "the_bank_did_not_contradict_itself": """
        SELECT payout_id, status, code FROM bank_reports WHERE contradicts
    """,
    "what_the_bank_paid_is_in_the_books": """
        SELECT l.end_to_end_id FROM bank_lines l LEFT JOIN payouts p ON p.id = l.payout_id
        WHERE p.state IS DISTINCT FROM 'settled' OR p.amount_tiyn <> l.amount_tiyn
    """,
    "no_recovery_is_under_way": """
        SELECT id FROM recoveries WHERE ended_at IS NULL
    """,
}

AUDITS: Final[Mapping[str, str]] = {**_LEDGER, **_HOLDS, **_CHARGES, **_ITEMS}
