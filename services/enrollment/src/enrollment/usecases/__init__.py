"""What enrollment does, one module per concern. Commits nothing: the edges do."""
