# The front door: `make help`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
IMAGE_TARGET := $(shell uname -m | sed s/arm64/aarch64/)-unknown-linux-musl
IMAGE_PROGRAM := target/$(IMAGE_TARGET)/image/foundry-operator
.PHONY: help build control-plane demo test test-unit test-e2e test-faults test-crashes test-model test-replicas test-sdk test-image chaos image-program sbom bench lint format crds charts clean

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /\1\t/' | awk -F'\t' '{printf "  make %-15s %s\n", $$1, $$2}'

build: ## Build the operator, the emulator and the demonstration
	cargo build --workspace --locked

control-plane: ## Build etcd, kube-apiserver, kube-controller-manager, kubectl and helm (once; about 12 minutes on 2 cores)
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

chaos: control-plane ## Users, an operator that is killed, paused and doubled, an Azure and an API server that fail, for ten minutes (SECONDS=60 SEED=7)
	cargo test --locked --test chaos -- $(or $(SECONDS),600) $(SEED)

image-program: ## Build the program as the image has it, for this machine's architecture (some minutes; needs musl-gcc)
	CC_$(subst -,_,$(IMAGE_TARGET))=musl-gcc cargo build --locked --profile image --target $(IMAGE_TARGET) --bin foundry-operator

test-image: control-plane ## Run the image's content as the image does: in a root folder of its own, as another user (needs root, musl-gcc)
	tests/image/run $(IMAGE_TARGET)

sbom: ## Print what is in the image, as CycloneDX
	@tools/sbom $(IMAGE_TARGET)

bench: control-plane image-program ## With the image's program: start, memory and size with 1,000 objects; 300 projects at ARM's real limits: how close to them, without one 429 (FACTOR=4: time runs faster; SECONDS=20: slower operations)
	rm -rf target/image-content
	tools/image-root $(IMAGE_PROGRAM) target/image-content
	cargo build --locked --package stage --bin bench --bin footprint
	target/debug/footprint $(IMAGE_PROGRAM) target/image-content
	target/debug/bench $(IMAGE_PROGRAM) $(or $(FACTOR),1) $(SECONDS)

test-sdk: ## Run the official Azure SDK for Python against the emulator (the first time with PyPI)
	tests/sdk/install
	tests/sdk/run

lint: control-plane ## Formatting, clippy, documentation, generated files, charts, alerts
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --locked --test crashes --test chaos -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	tools/check-generated
	tools/check-alerts
	tools/lint-charts

format: ## Format the code
	cargo fmt --all

crds: ## Generate the CRDs from src/api
	cargo run --locked --quiet --bin foundry-operator -- crds --folder crds

charts: control-plane crds ## Generate the chart of the CRDs, the chart's table of values and config/rbac
	tools/generate-charts

clean: ## Remove everything that was built
	cargo clean
