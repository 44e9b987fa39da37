# billwatch: the commands of the project. `make help` lists them.
#
# RocksDB's C++ takes about eight minutes to compile on two cores, so the build directory lies outside the checkout and is
# reused by every checkout on the machine: BILLWATCH_TARGET_DIR, else CARGO_TARGET_DIR, else ~/.cache/billwatch/target,
# else ./target when no cache directory can be made.

ifdef BILLWATCH_TARGET_DIR
export CARGO_TARGET_DIR := $(BILLWATCH_TARGET_DIR)
else ifndef CARGO_TARGET_DIR
export CARGO_TARGET_DIR := $(shell mkdir -p "$(HOME)/.cache/billwatch/target" 2>/dev/null && echo "$(HOME)/.cache/billwatch/target" || echo "$(CURDIR)/target")
endif

BILLWATCH := $(CARGO_TARGET_DIR)/release/billwatch
# Arguments for `make demo`, for instance: make demo DEMO='--facts 200000 --processes 3'
DEMO ?= --facts 1000000 --processes 2 --threads 1

.PHONY: help setup build demo test lint bench k8s-test k8s-render

help: ## lists the commands
	@grep -E '^[a-z0-9-]+:.*##' Makefile | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | expand -t 12

setup: ## installs what the build needs, if it is missing
	@.ci/setup

build: setup ## builds the binary
	cargo build --release --workspace

demo: build ## one million simulated facts through a real cluster of processes, checked against the reference
	$(BILLWATCH) demo $(DEMO)

test: lint ## lints, then every test
	cargo test --release --workspace

lint: setup ## formatting and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings

bench: build ## throughput, latency and memory on this machine
	$(BILLWATCH) bench throughput
	$(BILLWATCH) bench latency
	$(BILLWATCH) bench memory

k8s-test: ## the chart checked, the image built, the rendered manifests run as containers (root, podman; up to half an hour)
	@k8s/test/run

k8s-render: ## writes k8s/rendered and the chart's table of values from the chart
	@$$(k8s/test/tools | tail -1)/venv/bin/python k8s/test/render
