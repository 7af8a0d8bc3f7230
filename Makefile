# The front door: `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build control-plane demo test test-unit test-e2e test-faults test-sdk bench lint format crds clean

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-15s %s\n", $$1, $$2}'

build: ## Build the operator, the emulator and the demonstration
	cargo build --workspace --locked

control-plane: ## Build etcd, kube-apiserver, kube-controller-manager and kubectl (once; about 8 minutes on 2 cores)
	tools/build-control-plane

demo: control-plane ## Show everything at work on this machine, until Ctrl-C
	cargo build --locked --bin foundry-operator
	cargo build --locked --package stage --bin demo
	target/debug/demo target/debug/foundry-operator

test: control-plane ## Run every test: units, the emulator, the control plane, and end to end against a real API server
	tools/test

test-unit: ## Run the operator's unit tests alone
	cargo test --locked --lib

test-e2e: control-plane ## Run the end-to-end tests alone
	cargo test --locked --test e2e

test-faults: control-plane ## Run the fault matrix alone: each fault at each call to ARM of each kind's life
	cargo test --locked --test faults

bench: control-plane ## Make 300 projects at ARM's real limits: how close to them, without one 429 (FACTOR=4: time runs faster; SECONDS=20: slower operations)
	cargo build --locked --bin foundry-operator
	cargo build --locked --package stage --bin bench
	target/debug/bench target/debug/foundry-operator $(or $(FACTOR),1) $(SECONDS)

test-sdk: ## Run the official Azure SDK for Python against the emulator (the first time with PyPI)
	tests/sdk/install
	tests/sdk/run

lint: ## Formatting, clippy, documentation, generated files
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	tools/check-generated

format: ## Format the code
	cargo fmt --all

crds: ## Generate the CRDs from src/api
	cargo run --locked --quiet --bin foundry-operator -- crds --folder crds

clean: ## Remove everything that was built
	cargo clean
