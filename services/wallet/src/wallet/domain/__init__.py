"""The rules of money: pure, without clock, database or framework. One module per aggregate.

`programs` and `entitlements` say who pays for what, `accounts` is the chart, `operations` what can be asked
of the ledger and what it answers, `holds` the price of a month, `facts` what clubs says of it and `charging`
what it costs by them, `items` what is owed for it. `snapshot` is what a batch is decided on, `books` its
working copy, `funding` who pays a hold. `capturing` charges a month, `lowering` gives back, `orders` pays
out, `expiring` takes back what nobody uses, `approved` does what two persons agreed on, and `decisions` is
the one function that decides a batch of all of them. `proof` shows others that what was written is still
what it was.
"""
