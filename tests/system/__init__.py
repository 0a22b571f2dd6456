"""Tests that share one whole system. A package, so that it is stopped after the last of them."""
