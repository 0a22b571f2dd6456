"""Every SQL statement of notifications: what was heard, whom it concerns, messages, and their copies."""
