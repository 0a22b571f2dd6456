"""What the tests of the whole system stand on: the system itself, run as people run it, and load for it."""
