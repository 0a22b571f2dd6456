"""Tests that share one whole system. A package, so that it is stopped after the last of them.

They are in one group with the story, which plays in its own: two systems at once are too much for two cores.
"""
