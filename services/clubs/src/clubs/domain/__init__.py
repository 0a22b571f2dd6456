"""The rules of clubs: pure decisions over frozen values. No I/O, no clock, no framework."""
