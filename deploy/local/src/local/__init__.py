"""The local system: real servers without Docker, their supervisor, `social-wallet`, the outside world."""
