# The commands of development. CI runs `.ci/run`, which only calls these.

MAKEFLAGS += --no-print-directory

.PHONY: help up test test-client client-dist test-up autobahn chaos fuzz bench bench-hub bench-push token build new-component build-component check-sizes fmt lint deny docs-generated clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

up: ## Run everything here and print what to try; Ctrl-C stops it. PORT, HUB_PORT, CONSOLE_PORT, REDIS_URL, ORIGINS.
	@scripts/up

test: ## Run every test.
	@scripts/test

test-up: ## Test `make up` itself.
	@scripts/test-up

test-client: ## Test the npm package in client/, in Node, Chromium and Firefox.
	@scripts/test-client

client-dist: ## Write client/dist, the files that the hub serves, from client/.
	@scripts/client-dist

autobahn: ## Run the Autobahn test suite against the hub's sockets (needs python2.7).
	@scripts/autobahn

fuzz: ## Fuzz all parsers of outside input, FUZZ_SECONDS each (needs cargo-fuzz, a nightly toolchain).
	@scripts/fuzz

bench: ## Run the benchmarks: make bench ARGS="--only feed".
	@scripts/bench $(ARGS)

bench-hub: ## Run the benchmark of the hub: make bench-hub ARGS="--quick".
	@scripts/bench-hub $(ARGS)

bench-push: ## Run the benchmark of pushes: make bench-push ARGS="--only fcm".
	@scripts/bench-push $(ARGS)

chaos: ## Run under random faults and count losses and duplicates: ARGS="--seconds 300 --seed 7".
	@scripts/chaos $(ARGS)

token: ## Print a development token: make token SUB=alice SCOPE="feed:read".
	@scripts/token

build: ## Build the components, the host, the hub and the push worker. RECORD=postgres: components without SQLite.
	@scripts/install-deps linker toolchain wasm
	@RECORD="$(RECORD)" scripts/build components host hub push
	@scripts/check-sizes

new-component: export NAME := $(value NAME)
new-component: ## Start a component of your own: make new-component NAME=greetings.
	@scripts/new-component "$$NAME"

build-component: ## Build one component: make build-component COMPONENT=feed.
	@scripts/install-deps linker toolchain wasm
	@RECORD="$(RECORD)" scripts/build "$(COMPONENT)"

check-sizes: ## Check the built components against their size budget.
	@scripts/check-sizes

fmt: ## Format the code.
	@scripts/install-deps lint
	cargo fmt --all

lint: ## Check formatting, lints and documentation, with warnings as errors.
	@scripts/lint

deny: ## Check licences, sources and advisories of the dependencies (needs cargo-deny).
	cargo deny check

docs-generated: ## Write the generated documents anew: docs/openapi.json, http-api.md, configuration.md.
	@scripts/docs-generated

clean: ## Remove build output. The data of `make up` stays in .bellwire.
	cargo clean --target-dir target
