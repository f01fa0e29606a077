# The few verbs of this project. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench doc

help: ## List the verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

demo: ## Run the exporter against a simulated cluster
	@scripts/demo.sh

test: ## Install what the tests need where it is missing, then run every check
	@scripts/test.sh

lint: ## Check the format, clippy with warnings denied, and cargo-deny where it is installed
	@scripts/lint.sh

bench: ## Measure the release binary against clusters of each size (some only: make bench SIZES="S M"), and single steps
	cargo build --release --locked --package nomad-simulator
	cargo bench --locked --bench load -- $(SIZES)
	cargo bench --locked --bench micro

doc: ## Write the generated reference pages, and build the code's documentation
	cargo run --quiet -- metrics > docs/metrics.md
	cargo run --quiet -- flags > docs/configuration.md
	cargo run --quiet --package nomad-dashboards
	cargo doc --workspace --no-deps
