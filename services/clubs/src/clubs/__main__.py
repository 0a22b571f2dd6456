"""`python -m clubs`: the service's command line."""

from clubs.main import service
from shared.commands import main

main(service)
