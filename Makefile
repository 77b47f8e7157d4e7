# `make test` is all that a change has to pass; `make help` lists the rest.
SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The tags leave out the storage backends of Caddy's own certificate authority.
TAGS := nobadger,nomysql,nopgx
# The race detector, but not within SQLite: it is C that was translated to Go,
# whose memory is not Go's and never looked at, so that it would only be slow.
RACE := -race -gcflags='modernc.org/sqlite/lib=-race=false'
# Where tools are built, and what they are called with their version.
BIN := $(CURDIR)/bin
LINT_VERSION := v2.15.0
LINT := $(BIN)/golangci-lint-$(LINT_VERSION)
# How long each fuzz target runs, and in which packages they are looked for.
# Fuzzing in caddymodule builds all of Caddy once more: FUZZPKGS=./caddymodule/...
FUZZTIME ?= 5s
FUZZPKGS ?= ./flows/... ./tokenstore/... ./cache/... ./cmd/gate
# How long each fuzz target runs in make soak, and how often its crash tests kill.
SOAKTIME ?= 2m
SOAKKILLS ?= 50
# How many rounds of one-second windows the benchmark takes; of bench-guard also how many
# connections each target has, how many live sessions there are, and whether requests
# have an access token: make bench-guard CONNECTIONS=512 SESSIONS=100000 TOKEN=true
PAIRS ?= 40
CONNECTIONS ?= 16
SESSIONS ?= 1
TOKEN ?= false
# The store report's numbers of sessions and seconds for each figure, and how
# long every Go benchmark runs. ROWS=10000,10000000 takes some twenty
# minutes, most of it for filling the table.
ROWS ?= 10000,100000
SECONDS ?= 5
BENCHTIME ?= 200ms
# The packages whose Go benchmarks make bench-all runs; bench-store runs those of
# tokenstore/postgres/bench.
PKGS ?= $(shell go list -tags $(TAGS) ./flows/... ./cache/... ./tokenstore/... | grep -v /postgres/bench) ./caddymodule
# Narrows the tests down: make unit-caddy RUN=TestGuard CADDY=./caddymodule
RUN ?=
LIGHT ?= ./flows/... ./tokenstore/... ./cache/... ./cmd/gate/...
CADDY ?= . ./caddymodule/... ./cmd/gatehouse/...
INTEGRATION ?= ./...

STEP := .ci/step
INMEMORY := .ci/inmemory

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/gatehouse and bin/gate (the first build takes minutes and prints nothing)
	go build -trimpath -tags $(TAGS) -o $(BIN)/gatehouse ./cmd/gatehouse
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $(BIN)/gate ./cmd/gate

.PHONY: test
test: ## Everything: install what is missing, lint, unit tests, fuzzing, integration
	@rm -f $(BIN)/steps.log
	@$(MAKE) needs lint unit
	@$(MAKE) -j2 integration fuzz # the former mostly waits, the latter is nice to it
	@$(STEP) --summary

.PHONY: needs
needs: ## Install what the tests need and this machine lacks
	@.ci/needs

.PHONY: lint
lint: $(LINT) ## Check style, likely mistakes and the import direction
	@$(STEP) "lint" $(LINT) run --allow-serial-runners
	@cd integration && ../$(STEP) "lint integration" $(LINT) run --allow-serial-runners --config ../.golangci.yml

.PHONY: fmt
fmt: $(LINT) ## Format everything
	$(LINT) fmt
	cd integration && $(LINT) fmt --config ../.golangci.yml

$(LINT):
	@$(STEP) "build golangci-lint $(LINT_VERSION), once" \
		env GOBIN=$(BIN)/build go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv $(BIN)/build/golangci-lint $@

.PHONY: unit
unit: unit-light unit-caddy ## Unit tests and the stores' conformance suites, with the race detector

.PHONY: unit-light
unit-light: ## Those that know no Caddy, and build in seconds
	@$(STEP) "unit tests without Caddy" $(INMEMORY) go test $(RACE) -tags $(TAGS) -timeout 20m -run '$(RUN)' $(LIGHT)

.PHONY: unit-caddy
unit-caddy: ## Those that do; the first build with the race detector takes minutes
	@$(STEP) "unit tests with Caddy" $(INMEMORY) go test $(RACE) -tags $(TAGS) -timeout 20m -run '$(RUN)' $(CADDY)

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME (5s)
	@$(STEP) "fuzz targets, $(FUZZTIME) each" nice -n 19 .ci/fuzz $(FUZZTIME) $(TAGS) $(FUZZPKGS)

.PHONY: integration
integration: ## The built gateway with real browsers, providers, Postgres and Redis
	@cd integration && ../$(STEP) "integration tests" ../$(INMEMORY) go test -timeout 15m -run '$(RUN)' $(INTEGRATION)

.PHONY: soak
soak: ## What takes long: floods, fuzzing for SOAKTIME (2m) each, SOAKKILLS (50) kills, providers, applications, upgrades; three hours at most
	@rm -f $(BIN)/steps.log
	@$(MAKE) flood
	@$(STEP) "fuzz targets, $(SOAKTIME) each" env LONGTIME=$(SOAKTIME) .ci/fuzz $(SOAKTIME) $(TAGS) $(FUZZPKGS) ./caddymodule/...
	@cd integration && GATEHOUSE_TEST_SOAK=1 GATEHOUSE_TEST_KILLS=$(SOAKKILLS) ../$(STEP) "crash tests, $(SOAKKILLS) kills each" go test -count 1 -v -timeout 80m ./crash
	@.ci/needs soak
	@cd integration && GATEHOUSE_TEST_SOAK=1 ../$(STEP) "all providers and applications" go test -count 1 -v -timeout 30m ./presets ./applications
	@cd integration && ../$(STEP) "upgrades, ten times" go test -count 10 -timeout 30m ./upgrade
	@$(STEP) --summary

.PHONY: flood
flood: ## A million abandoned sign-ins for each cache, without the race detector
	@$(STEP) "flood" go test -v -timeout 10m -run '^TestFlood' ./cache/memory ./cache/redis

.PHONY: bench
bench: bench-guard bench-forward bench-refresh bench-store bench-all ## Measure everything (some minutes; an idle machine)

.PHONY: bench-guard
bench-guard: ## Measure a guarded request against a plain reverse_proxy, PAIRS=40 rounds, and oauth2-proxy beside
	@cd integration && ../$(INMEMORY) go test -run '^$$' -bench Guarded -benchtime $(PAIRS)x -timeout 30m ./bench \
		-args -connections $(CONNECTIONS) -sessions $(SESSIONS) -token=$(TOKEN)

.PHONY: bench-forward
bench-forward: ## Measure nginx that asks the gateway against nginx that asks oauth2-proxy, where that is installed
	@cd integration && go test -run '^$$' -bench ForwardAuth -benchtime $(PAIRS)x -timeout 30m ./bench

.PHONY: bench-refresh
bench-refresh: ## Measure a refresh with 0, 10 and 20 ms added between gateway and Postgres
	@cd integration && go test -run '^$$' -bench Refresh -benchtime 300x -timeout 30m ./bench

.PHONY: bench-store
bench-store: ## Measure the stores: ROWS=10000,100000 sessions, SECONDS=5 for each figure
	@go test -run '^TestReport$$' -v -count 1 -timeout 0 ./tokenstore/postgres/bench -args -rows $(ROWS) -seconds $(SECONDS)
	@go test -run '^$$' -bench '^BenchmarkRotate$$' -benchtime $(SECONDS)s ./tokenstore/sqlite
	@go test -run '^$$' -bench '^BenchmarkMemoryPerSession$$' -benchtime 100000x ./flows/session

.PHONY: bench-all
bench-all: ## Run every Go benchmark, for BENCHTIME=200ms each
	@go test -tags $(TAGS) -run '^$$' -bench . -benchtime $(BENCHTIME) -benchmem -timeout 30m $(PKGS)
