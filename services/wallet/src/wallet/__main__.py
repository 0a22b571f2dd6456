"""`python -m wallet`: the service's command line."""

from shared.commands import main
from wallet.main import service

main(service)
