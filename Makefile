# The front door: `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build control-plane demo test test-unit test-e2e test-faults test-crashes test-model test-replicas test-sdk bench lint format crds clean

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

test-crashes: control-plane ## Kill the operator before and after each of its calls, in the lives of each kind (CRASHES=all: also after reads)
	cargo test --locked --test crashes

test-model: ## Run the model check alone: every order of steps, crashes and meddling, with the operator's own plan
	cargo test --locked --test model

test-replicas: control-plane ## Stop the leader of two replicas for longer than its lease, a hundred times (about 9 minutes)
	FOUNDRY_ROUNDS=100 cargo test --locked --test e2e -- replicas

bench: control-plane ## Start and memory with 1,000 objects, size (IMAGE=folder: of an image's content); 300 projects at ARM's real limits: how close to them, without one 429 (FACTOR=4: time runs faster; SECONDS=20: slower operations)
	cargo build --release --locked --bin foundry-operator
	cargo build --locked --package stage --bin bench --bin footprint
	target/debug/footprint target/release/foundry-operator $(IMAGE)
	target/debug/bench target/release/foundry-operator $(or $(FACTOR),1) $(SECONDS)

test-sdk: ## Run the official Azure SDK for Python against the emulator (the first time with PyPI)
	tests/sdk/install
	tests/sdk/run

lint: ## Formatting, clippy, documentation, generated files, alerts
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --locked --test crashes -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	tools/check-generated
	tools/check-alerts

format: ## Format the code
	cargo fmt --all

crds: ## Generate the CRDs from src/api
	cargo run --locked --quiet --bin foundry-operator -- crds --folder crds

clean: ## Remove everything that was built
	cargo clean
