# Each target is one line; what they run explains itself (`.venv/bin/social-wallet --help`).
RUN = .venv/bin
.PHONY: setup demo up down check test bench soak

setup: ; @python3 deploy/bootstrap.py
demo: setup ; @$(RUN)/social-wallet demo $(ARGS)
up: setup ; @$(RUN)/social-wallet up $(ARGS)
down: setup ; @$(RUN)/social-wallet down
check: setup ; $(RUN)/ruff check . && $(RUN)/ruff format --check . && $(RUN)/mypy . && $(RUN)/lint-imports && $(RUN)/pytest -q -n 2 --dist loadgroup -m "not servers"
test: check ; $(RUN)/python -m local.servers --containers -- $(RUN)/pytest -q -n 2 --dist loadgroup -m servers $(ARGS)
bench: setup ; $(RUN)/python tests/runner.py benchmarks
soak: setup ; $(RUN)/python tests/runner.py soak
