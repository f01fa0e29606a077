# The few verbs of this project. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo test test-nomad lint bench fuzz soak doc release release-check

SOAK_SECONDS ?= 1200
FUZZ_SECONDS ?= 60

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run the exporter against a simulated cluster: a build farm, or by SCENARIO=ci an hour of a CI system in three minutes
	@SCENARIO="$(SCENARIO)" scripts/demo.sh

test: ## Install what the tests need where it is missing, then run every check
	@scripts/test.sh

test-nomad: ## Compare every number with a real Nomad: NOMAD="PATH…", else the one on the PATH; CLIENT_NOMAD=PATH for other clients
	@NOMAD="$(NOMAD)" CLIENT_NOMAD="$(CLIENT_NOMAD)" scripts/test-nomad.sh

lint: ## Check the format, clippy with warnings denied, and cargo-deny where it is installed
	@scripts/lint.sh

bench: ## Measure the release binary against clusters of each size (some only: make bench SIZES="S M"), and single steps
	cargo build --release --locked --package nomad-simulator
	cargo bench --locked --bench load -- $(SIZES)
	cargo bench --locked --bench micro

fuzz: ## Run each fuzz target for a minute (longer: make fuzz FUZZ_SECONDS=600), where cargo-fuzz and a nightly compiler are
	@scripts/fuzz.sh $(FUZZ_SECONDS)

soak: ## Run the release binary for 20 minutes beside a cluster that never rests (shorter: make soak SOAK_SECONDS=120)
	@scripts/soak.sh $(SOAK_SECONDS) --release

doc: ## Write the generated reference pages, and build the code's documentation
	cargo run --quiet -- metrics > docs/metrics.md
	cargo run --quiet -- flags > docs/configuration.md
	cargo run --quiet --package nomad-dashboards
	scripts/prometheusrule.sh > deploy/kubernetes/monitoring/prometheusrule.yaml
	cargo doc --workspace --no-deps

release: ## Build and pack the commit that is checked out: see docs/releasing.md
	@scripts/release.sh

release-check: ## Build and pack it twice in two folders, and compare: a release is the same wherever it is made
	@scripts/release.sh --check
