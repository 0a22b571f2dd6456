# Each target is one line; what they run explains itself (`.venv/bin/social-wallet --help`).
RUN = .venv/bin
.PHONY: setup demo up down lint check test bench soak

setup: ; @python3 deploy/bootstrap.py
demo: setup ; @$(RUN)/social-wallet demo $(ARGS)
up: setup ; @$(RUN)/social-wallet up $(ARGS)
down: setup ; @$(RUN)/social-wallet down
lint: setup ; $(RUN)/ruff check . && $(RUN)/ruff format --check . && $(RUN)/mypy . && $(RUN)/lint-imports
check: lint ; $(RUN)/pytest -q -n 2 --dist loadgroup -m "not servers" $(ARGS)
test: lint ; $(RUN)/python -m local.servers --containers -- $(RUN)/pytest -q -n 2 --dist loadgroup $(ARGS)
bench: setup ; $(RUN)/python tests/runner.py benchmarks
soak: setup ; $(RUN)/python tests/runner.py soak
