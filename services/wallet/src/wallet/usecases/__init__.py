"""What the wallet does, one module per sentence. Nobody here opens or commits a transaction."""
