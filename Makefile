# The few verbs of this project. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help demo test check check-prose check-deploy check-prometheus check-formats check-browser check-release check-soak \
	check-bench check-deps test-nomad lint bench bench-rules fuzz soak doc release release-check

SOAK_SECONDS ?= 1200
FUZZ_SECONDS ?= 60

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Run the exporter against a simulated cluster: a build farm, or by SCENARIO=ci an hour of a CI system in three minutes
	@SCENARIO="$(SCENARIO)" scripts/demo.sh

test: ## Run what every change must pass: format, clippy, tests, and promtool's tests of the rules
	@scripts/test.sh

check: ## Run everything else, which needs programs of others or minutes; each part runs alone too
	@scripts/check.sh

check-prose: ## … the spelling of all files
	@scripts/check.sh prose

check-deploy: ## … images, manifests, chart, units and scripts of deploy/
	@scripts/check.sh deploy

check-prometheus: ## … scrapes and alerts of real Prometheus servers, 2 and 3
	@scripts/check.sh prometheus

check-formats: ## … OpenMetrics, JSON, completions and manual pages, read by programs of others
	@scripts/check.sh formats

check-browser: ## … the status page in Chromium
	@scripts/check.sh browser

check-release: ## … what a release hands out: binary, tarball, Debian package
	@scripts/check.sh release

check-soak: ## … two minutes beside a cluster that never rests
	@scripts/check.sh soak

check-bench: ## … that the benchmark works
	@scripts/check.sh bench

check-deps: ## … licences, sources and advisories of dependencies
	@scripts/check.sh deps

test-nomad: ## Compare every number with a real Nomad: NOMAD="PATH…", else the one on the PATH; CLIENT_NOMAD=PATH for other clients
	@NOMAD="$(NOMAD)" CLIENT_NOMAD="$(CLIENT_NOMAD)" scripts/test-nomad.sh

lint: ## Check the format, clippy with warnings denied, and the documentation of the code
	@scripts/lint.sh

bench: ## Measure the release binary against clusters of each size (some only: make bench SIZES="S M"), and single steps
	@scripts/bench.sh $(SIZES)
	@scripts/bench.sh micro

bench-rules: ## Try the alert rules on 200 generated histories and days (again: BENCH_SEED=…), and time rules and dashboards at 10,000 nodes
	@scripts/bench-rules.sh

fuzz: ## Run each fuzz target for a minute (longer: make fuzz FUZZ_SECONDS=600), where cargo-fuzz and a nightly compiler are
	@scripts/fuzz.sh $(FUZZ_SECONDS)

soak: ## Run the release binary for 20 minutes beside a cluster that never rests (shorter: make soak SOAK_SECONDS=120)
	@scripts/soak.sh $(SOAK_SECONDS) --release

doc: ## Write the generated reference pages, and build the code's documentation
	cargo build --quiet --locked --package nomad-exporter --package nomad-dashboards --package workspace-hack
	target/debug/nomad-exporter metrics > docs/metrics.md
	target/debug/nomad-exporter flags > docs/configuration.md
	target/debug/nomad-dashboards
	scripts/prometheusrule.sh > deploy/kubernetes/monitoring/prometheusrule.yaml
	cargo doc --workspace --no-deps

release: ## Build and pack the commit that is checked out: see docs/releasing.md
	@scripts/release.sh

release-check: ## Build and pack it twice in two folders, and compare: a release is the same wherever it is made
	@scripts/release.sh --check
