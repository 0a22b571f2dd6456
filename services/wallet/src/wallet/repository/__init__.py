"""Every SQL statement of the wallet, one module per thing that is read or written.

`snapshots` and `postings` are the two halves of the one path money takes; `programs`, `projections`, `runs`
and `views` serve what surrounds it.
"""
