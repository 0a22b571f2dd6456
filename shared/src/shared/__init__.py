"""The published language and the plumbing of all services; never a business rule."""
