"""`python -m enrollment <command>`."""

from enrollment.main import service
from shared.commands import main

main(service)
