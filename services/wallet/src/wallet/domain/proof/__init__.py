"""How the ledger is shown to be what it was: pure, so that whoever checks it needs neither us nor a database.

`leaves` says which bytes are sealed of operations, postings and batches, `merkle` and `paths` put them into
trees and show that a leaf is in one, or that one continues another, `notes` and `checkpoints` sign a tree's
root, and `receipts` put all of it together for one operation. What does not follow is an `UnprovenError`.
"""
