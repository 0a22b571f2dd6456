"""The rules of money: pure, without clock, database or framework. One module per aggregate.

`programs` and `entitlements` say who pays for what, `accounts` is the chart, `operations` what can be asked
of the ledger and what it answers, `holds` the price of a month, `books` the working copy of one batch,
`funding` who pays a hold, `decisions` the one function that decides a batch.
"""
