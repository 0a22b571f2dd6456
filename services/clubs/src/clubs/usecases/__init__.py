"""What clubs does, one sentence each. Both edges call in here; nobody here opens or commits a transaction."""
