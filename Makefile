# Targets of this project. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo test check check-prose check-deploy check-prometheus check-formats check-browser check-release check-soak \
	check-bench check-deps test-nomad lint bench bench-rules fuzz soak doc release release-check

SOAK_SECONDS ?= 1200
FUZZ_SECONDS ?= 60

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run the exporter against a simulated cluster: a build farm, or with SCENARIO=ci an hour of a CI system in three minutes
	@SCENARIO="$(SCENARIO)" scripts/demo.sh

test: ## Run everything that a change must pass: format, clippy, tests, and promtool's tests of the rules
	@scripts/test.sh

check: ## Run all other tests, which need other programs or take minutes; each of the following runs alone too
	@scripts/check.sh

check-prose: ## … the spelling of all files
	@scripts/check.sh prose

check-deploy: ## … images, manifests, chart, units and scripts in deploy/; dashboards
	@scripts/check.sh deploy

check-prometheus: ## … scrapes and alerts with real Prometheus servers, 2 and 3
	@scripts/check.sh prometheus

check-formats: ## … OpenMetrics, JSON, completions and manual pages, read by other programs
	@scripts/check.sh formats

check-browser: ## … the status page in Chromium
	@scripts/check.sh browser

check-release: ## … the files of a release: binary, tarball, Debian package
	@scripts/check.sh release

check-soak: ## … five times the random cases of `make test`, and two minutes with a cluster that changes all the time
	@scripts/check.sh soak

check-bench: ## … that the benchmark works
	@scripts/check.sh bench

check-deps: ## … licences, sources and advisories of dependencies
	@scripts/check.sh deps

test-nomad: ## Compare every number with a real Nomad: NOMAD="PATH…", otherwise the one on the PATH; CLIENT_NOMAD=PATH for clients of another version
	@NOMAD="$(NOMAD)" CLIENT_NOMAD="$(CLIENT_NOMAD)" scripts/test-nomad.sh

lint: ## Check the format, clippy with warnings denied, and the documentation of the code
	@scripts/lint.sh

bench: ## Measure the release binary with clusters of each size (only some: make bench SIZES="S M"), and micro-benchmarks
	@scripts/bench.sh $(SIZES)
	@scripts/bench.sh micro

bench-rules: ## Test the alert rules with 200 generated histories and days (repeat: BENCH_SEED=…), and measure rules and dashboards with 10,000 nodes
	@scripts/bench-rules.sh

fuzz: ## Run each fuzz target for a minute (longer: make fuzz FUZZ_SECONDS=600); needs cargo-fuzz and a nightly compiler
	@scripts/fuzz.sh $(FUZZ_SECONDS)

soak: ## Run the release binary for 20 minutes with a cluster that changes all the time (shorter: make soak SOAK_SECONDS=120)
	@scripts/soak.sh $(SOAK_SECONDS) --release

doc: ## Generate the reference pages, dashboards and rules, and build the code's documentation
	cargo build --quiet --locked --package nomad-exporter --package nomad-dashboards --package workspace-hack
	target/debug/nomad-exporter metrics > docs/metrics.md
	target/debug/nomad-exporter flags > docs/configuration.md
	target/debug/nomad-dashboards
	scripts/prometheusrule.sh > deploy/kubernetes/monitoring/prometheusrule.yaml
	cargo doc --workspace --no-deps

release: ## Build and pack the checked out commit: see docs/releasing.md
	@scripts/release.sh

release-check: ## Build and pack it twice in two folders, and check that both are identical
	@scripts/release.sh --check
