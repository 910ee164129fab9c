# Everything that is done to this repository, by name. `make` alone lists it.

GO       ?= go
BIN      := bin/leviathan
OPA      := bin/opa
OPA_VERSION := $(shell $(GO) list -m -f '{{.Version}}' github.com/open-policy-agent/opa)
# What is compiled in races and what is not: packages with goroutines of their own.
RACE     := ./gateway/... ./scheduler/... ./worker/... ./spider/...
# What has tests that would only be slower with the detector, run without it.
PLAIN    := ./gateway/engine ./gateway/replay ./cmd/... ./policies/... ./invariants/... ./deploy/...

.DEFAULT_GOAL := help
.PHONY: help build demo test check policy-test policy-mutation policy-laws docs bench clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/leviathan
	$(GO) build -o $(BIN) ./cmd/leviathan

demo: build ## show everything at work on a sample repository, in under a minute
	$(BIN) demo

test: ## run every test: Go, with the race detector where it matters, Rego and scripts
	$(GO) test -race $(RACE)
	$(GO) test $(PLAIN)

check: ## formatting, vet, static analysis, tidiness
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	$(GO) vet ./...
	$(GO) tool -modfile=.ci/tools.mod staticcheck ./...
	$(GO) mod tidy -diff

policy-test: $(OPA) ## the stock opa on our policies: test with coverage, check, fmt
	$(OPA) test --timeout 5m --coverage --threshold 100 --format json policies/ > bin/coverage.json || { cat bin/coverage.json; exit 1; }
	$(OPA) test --timeout 5m policies/
	$(OPA) check --strict policies/
	@test -z "$$($(OPA) fmt --list policies/)" || { $(OPA) fmt --list policies/; echo "run bin/opa fmt --write on these"; exit 1; }

policy-mutation: build ## change the policies place by place and see whether their tests notice
	$(BIN) policy mutate policies

policy-laws: ## look at the policies' laws on more than a million inputs
	LEVIATHAN_LAWS=full $(GO) test -timeout 3h -v -run '^TestLaws$$' ./gateway/engine/authoring

$(OPA): go.mod
	GOBIN=$(CURDIR)/bin GOFLAGS=-mod=mod $(GO) install github.com/open-policy-agent/opa@$(OPA_VERSION)

docs: build ## write the generated pages of docs/
	$(BIN) docs docs

bench: build $(OPA) ## measure beside the peers and write docs/performance
	$(BIN) bench --opa $(OPA) --out docs/performance

clean: ## remove what was built
	rm -rf bin
