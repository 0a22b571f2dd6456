"""Clubs: providers and what they offer, groups and their lessons, seats and whose turn it is."""
