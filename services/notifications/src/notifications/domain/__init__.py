"""The rules of notifications: pure, without input and output."""
