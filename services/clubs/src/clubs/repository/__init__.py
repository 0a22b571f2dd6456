"""Every SQL statement of clubs, one module per aggregate."""
