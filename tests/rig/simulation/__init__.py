"""The four services in one process, without servers: seeded dice say what comes next and what goes wrong.

**The services' own code**, as it runs in production: `consumers` (all of it), `usecases` (enrolling,
seats, lessons, disputes, sheets, statements, charging, payouts, messages), `domain` (all deciders); of
`shared` the published language with its headers and JSON, `publish` and the outbox's rows, the router,
the inbox's use, the intake (halving, parking, lost partitions), replay and timekeeper; of the wallet's
jobs the sender to the bank.

**Stand-ins**: storage, function by function in the place of the `repository` modules and the plumbing's
SQL (`replacing` puts them there; the type checker compares each with what it stands for); transactions,
which commit whole or not at all and come one after the other (`store`); Kafka, with the relay before it
(`machines`); the database's clock; the bank (`bank`). No rule is written again, but for one that stands
in SQL (`ledger`).

**What goes wrong**: records come twice, late, in another order across partitions and topics, and again
from an earlier offset; processes die before a commit, after it, and between sending and deleting; workers
stand still, and go on with partitions that are no longer theirs; the clock jumps; the bank loses orders
and answers.

**What is not seen here**: SQL, locks, and whatever two transactions do to each other at once; HTTP;
projections of people (guardians, entitlements and staff are given); absences, corrections, changes of
rules, funding runs (one allotment stands for them), e-mail and SMS; a program above its share of declined
months.
"""
