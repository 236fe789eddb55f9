# The commands of development. CI runs `.ci/run`, which only calls these.

MAKEFLAGS += --no-print-directory

.PHONY: help up test test-client test-upgrade client-dist test-up autobahn chaos fuzz bench bench-hub bench-push token build manifest new-component build-component check-sizes check-deploy release fmt lint deny site docs-generated clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

up: ## Run everything here and print what to try; Ctrl-C stops it. PORT, HUB_PORT, CONSOLE_PORT, REDIS_URL, POSTGRES_URL, RESOURCES, ORIGINS, CLUSTER=1, BIN.
	@scripts/up

test: ## Run every test.
	@scripts/test

test-up: ## Test `make up` itself.
	@scripts/test-up

test-client: ## Test the npm package in client/, in Node, Chromium and Firefox.
	@scripts/test-client

test-upgrade: ## Upgrade from a previous version and back, under load: REF=v0.1.0 (default: the newest tag).
	@scripts/test-upgrade $(REF)

client-dist: ## Write client/dist, the files that the hub serves, from client/.
	@scripts/client-dist

autobahn: ## Run the Autobahn test suite against the hub's sockets (needs python2.7).
	@scripts/autobahn

fuzz: ## Fuzz the parsers of requests, frames, tokens and Redis' messages, FUZZ_SECONDS each (30).
	@scripts/fuzz

bench: ## Run the benchmarks: make bench ARGS="--only feed".
	@scripts/bench $(ARGS)

bench-hub: ## Run the benchmark of the hub: make bench-hub ARGS="--quick".
	@scripts/bench-hub $(ARGS)

bench-push: ## Run the benchmark of pushes: make bench-push ARGS="--only fcm".
	@scripts/bench-push $(ARGS)

chaos: ## Run under random faults and count losses and duplicates: ARGS="--seconds 300 --seed 7".
	@scripts/chaos $(ARGS)

token: ## Print a development token: make token SUB=alice SCOPE="feed:read" TTL_HOURS=24 (or TTL_SECONDS=60).
	@scripts/token

build: ## Build the components, the host, the hub, the push worker and the command line. RECORD=postgres: components without SQLite.
	@scripts/install-deps linker toolchain wasm
	@RECORD="$(RECORD)" scripts/build components host hub push cli
	@scripts/check-sizes

manifest: ## Print a manifest for resources of your own: make manifest RESOURCES=resources.toml >spin.toml.
	@[ -n "$(BIN)" ] || { scripts/install-deps linker toolchain && scripts/build manifest; } >&2
	@scripts/manifest

new-component: export NAME := $(value NAME)
new-component: ## Start a component of your own: make new-component NAME=greetings.
	@scripts/new-component "$$NAME"

build-component: ## Build one component: make build-component COMPONENT=feed.
	@scripts/install-deps linker toolchain wasm
	@RECORD="$(RECORD)" scripts/build "$(COMPONENT)"

check-sizes: ## Check the built components against their size budget.
	@scripts/check-sizes

check-deploy: ## Check the files in deploy/ against schemas, linters and the built programs.
	@scripts/check-deploy

release: ## Build a release into dist/: archives, the npm package, an SBOM, checksums. ARGS=verify: twice, and compare.
	@scripts/release $(ARGS)

fmt: ## Format the code.
	@scripts/install-deps lint
	cargo fmt --all

lint: ## Check formatting, lints and documentation, with warnings as errors.
	@scripts/lint

deny: ## Check licences, sources and advisories of the dependencies with cargo-deny.
	@scripts/deny

site: ## Build the documents as static pages with a search, in target/site/dist (needs Node 20.19).
	@scripts/site

docs-generated: ## Write the generated documents anew: docs/openapi.json, http-api.md, configuration.md.
	@scripts/docs-generated

clean: ## Remove build output. The data of `make up` stays in .bellwire.
	cargo clean --target-dir target
