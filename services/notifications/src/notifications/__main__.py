"""`python -m notifications`: the service's command line."""

from notifications.main import service
from shared.commands import main

main(service)
