# Everything that is done to this repository, by name. `make` alone lists it.

GO       ?= go
BIN      := bin/leviathan
OPA      := bin/opa
CONFTEST := bin/conftest
CONFTEST_VERSION := v0.71.1
OPA_VERSION := $(shell $(GO) list -m -f '{{.Version}}' github.com/open-policy-agent/opa)
# What is compiled in races and what is not: packages with goroutines of their own.
RACE     := ./gateway/... ./scheduler/... ./worker/... ./spider/...
# What has tests that would only be slower with the detector, run without it.
PLAIN    := ./gateway/engine/... ./gateway/replay ./cmd/... ./policies/... ./invariants/... ./deploy/...

.DEFAULT_GOAL := help
.PHONY: help build demo test check docs-test invariants policy-test policy-mutation policy-laws docs bench images images-check e2e e2e-kubelet images-push manifests clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/leviathan
	$(GO) build -o $(BIN) ./cmd/leviathan

demo: build ## show everything at work on a sample repository, in under a minute
	$(BIN) demo

test: ## run every test: Go, with the race detector where it matters, Rego and scripts
	$(GO) test -timeout 30m -race $(RACE)
	$(GO) test -timeout 30m $(PLAIN)
	cd deploy/images && $(GO) test ./...

check: ## formatting, vet, static analysis, tidiness
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	$(GO) vet ./...
	$(GO) tool -modfile=.ci/tools.mod staticcheck ./...
	$(GO) mod tidy -diff
	for module in deploy/images deploy/e2e; do (cd $$module && $(GO) vet ./... && $(GO) mod tidy -diff) || exit 1; done
	cd deploy/e2e/kube && $(GO) mod tidy -diff

invariants: build ## what must be true of this repository: manifests, workflows, documents, requirements
	$(BIN) invariants check --settings .ci/invariants.yaml

docs-test: ## run the commands that README and docs/ show, and compare what they print
	$(GO) test -run '^TestS21' ./cmd/leviathan

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

$(CONFTEST): Makefile
	GOBIN=$(CURDIR)/bin GOFLAGS=-mod=mod CGO_ENABLED=0 $(GO) install github.com/open-policy-agent/conftest@$(CONFTEST_VERSION)

docs: build ## write the generated pages of docs/
	$(BIN) docs docs

bench: build $(OPA) $(CONFTEST) ## measure beside the peers and write docs/performance
	$(BIN) bench --opa $(OPA) --conftest $(CONFTEST) --repository . --out docs/performance

# What is in an image comes from the commit, never from the machine or the clock.
IMAGES        := bin/images
IMAGE_ARCH    ?= $(shell $(GO) env GOARCH)
IMAGE_VERSION  := $(shell sed -n 's/^const Version = "\(.*\)"$$/\1/p' gateway/ids.go)
IMAGE_COMMIT   := $(shell git describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null)
IMAGE_TIME     := $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
STATIC         = CGO_ENABLED=0 GOOS=linux GOARCH=$(IMAGE_ARCH) $(GO) build -trimpath -buildvcs=false -ldflags='-s -w -buildid='
IMAGES_TOOL    = cd deploy/images && $(GO) run .
IMAGES_BUILD   = $(IMAGES_TOOL) build -version '$(IMAGE_VERSION)' -revision '$(IMAGE_COMMIT)' -created $(IMAGE_TIME)

images: ## write the container images to bin/images, with no daemon and no network (IMAGE_ARCH=arm64 for another machine)
	$(STATIC) -o $(IMAGES)/leviathan ./cmd/leviathan
	$(IMAGES_BUILD) -binary '$(CURDIR)/$(IMAGES)/leviathan' -out '$(CURDIR)/$(IMAGES)'

images-check: ## build the images twice, in folders of different names, and see the same digests
	cd deploy/images && $(GO) vet ./... && $(GO) test ./...
	rm -rf $(IMAGES)-check && mkdir -p $(IMAGES)-check/one $(IMAGES)-check/the/other
	git ls-files -z --cached --others --exclude-standard --deduplicate | tar --null --ignore-failed-read -T - -cf - | tar -xf - -C $(IMAGES)-check/one
	cp -a $(IMAGES)-check/one/. $(IMAGES)-check/the/other
	for tree in one the/other; do \
	  out='$(CURDIR)/$(IMAGES)-check'/$$(basename $$tree)-images && mkdir -p $$out && \
	  (cd $(IMAGES)-check/$$tree && $(STATIC) -o $$out/leviathan ./cmd/leviathan) && \
	  ($(IMAGES_BUILD) -binary $$out/leviathan -out $$out) || exit 1; done
	diff -r $(IMAGES)-check/one-images $(IMAGES)-check/other-images
	rm -rf $(IMAGES)-check

# The control plane of Kubernetes is of its own module; the first build of it
# takes minutes.
KUBE_VERSION = $(shell cd deploy/e2e/kube && $(GO) list -m -f '{{.Version}}' k8s.io/kubernetes)
KUBE_STAMP   = k8s.io/component-base/version
KUBE_BUILD   = cd deploy/e2e/kube && CGO_ENABLED=0 $(GO) build -p 2 -trimpath -ldflags='-s -w -X $(KUBE_STAMP).gitVersion=$(KUBE_VERSION) -X $(KUBE_STAMP).gitMajor=1 -X $(KUBE_STAMP).gitMinor=$(word 2,$(subst ., ,$(KUBE_VERSION))) -X $(KUBE_STAMP).gitTreeState=clean -X $(KUBE_STAMP).gitCommit=unknown -X $(KUBE_STAMP).buildDate=1970-01-01T00:00:00Z'
E2E_RUN     ?= .

e2e: ## see the cluster's promises on a real Kubernetes API: that of KUBECONFIG, or one that is built and started (E2E_RUN=TestName)
ifndef KUBECONFIG
	$(KUBE_BUILD) -o '$(CURDIR)/bin/kube' .
	$(STATIC) -o bin/leviathan-static ./cmd/leviathan
endif
	cd deploy/e2e && $(GO) vet ./... && $(GO) test $(if $(KUBECONFIG),-v) -count=1 -timeout 15m -run '$(E2E_RUN)' . -args -kube '$(CURDIR)/bin/kube' -leviathan '$(CURDIR)/bin/leviathan-static'

e2e-kubelet: images ## the same on a real kubelet and containerd with our own images, as root: see deploy/e2e/README.md (E2E_RUN=TestName)
	$(KUBE_BUILD) -o '$(CURDIR)/bin/kube' .
	$(KUBE_BUILD) -o '$(CURDIR)/bin/kube-node' ./node
	cd deploy/e2e && $(GO) vet ./... && $(GO) test -v -count=1 -timeout 20m -run '$(E2E_RUN)' . -args -kube '$(CURDIR)/bin/kube' -leviathan '$(CURDIR)/$(IMAGES)/leviathan' -node '$(CURDIR)/bin/kube-node' -images '$(CURDIR)/$(IMAGES)'

images-push: images ## send the images to REGISTRY, and say their digests
	$(IMAGES_TOOL) push -in '$(CURDIR)/$(IMAGES)' -registry '$(REGISTRY)'

manifests: ## render the manifests for kind to bin/manifests, and with REGISTRY and WORKER_IMAGE those for EKS, with the digests of bin/images
	mkdir -p bin/manifests
	kubectl kustomize deploy/overlays/kind > bin/manifests/kind.yaml
ifdef REGISTRY
	$(IMAGES_TOOL) pin -in '$(CURDIR)/$(IMAGES)' -out '$(CURDIR)/bin/manifests/eks' -overlay ../overlays/eks -registry '$(REGISTRY)' -worker '$(WORKER_IMAGE)'
	kubectl kustomize bin/manifests/eks > bin/manifests/eks.yaml
endif

clean: ## remove what was built
	rm -rf bin
