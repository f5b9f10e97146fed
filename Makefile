# `make help` explains the targets. Needed: Go, git and make; what a target needs beyond that it says or gets itself.

VERSION       ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GOLANGCI_LINT := v2.15.0
# Flags for go test, as in: make test TESTFLAGS='-v -run Claim'
TESTFLAGS     ?=
FUZZTIME      ?= 10s

# The version is stamped by the linker. Asking git a second time fails where the folder belongs to another user.
export GOFLAGS := $(shell go env GOFLAGS) -buildvcs=false

# Where the random tests begin, so that a run can be repeated; RAPID_SEED=0 begins anywhere.
export RAPID_SEED ?= 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo run build test check format-check vet tidy-check generate-check lint race fuzz prove seeded-bugs conformance \
	generate assets image-check .bin/withpostgres .bin/imagecheck

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: build ## build and start with a simulated world, nothing else needed; stop with Control-C
	./bin/jobmanager demo

run: build ## build and serve on SQLite in ./data, on the loopback address; the environment configures it
	DATA_DIR="$${DATA_DIR:-data}" ./bin/jobmanager serve

build: ## the binary, static, in ./bin
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/jobmanager .

test: .bin/withpostgres ## all Go tests on SQLite and on a real PostgreSQL, which it finds or installs; no C compiler needed
	CGO_ENABLED=0 .bin/withpostgres -- go test -count=1 -timeout=5m $(TESTFLAGS) ./...

check: format-check vet tidy-check generate-check lint race fuzz ## all that must hold before a change goes in: the next seven
	@echo "make check: all well"

format-check: ## every Go file is as gofmt writes it
	@wrong=$$(find . -name '*.go' -not -path '*/node_modules/*' -not -path './.*/*' -exec gofmt -l {} +) && \
		test -z "$$wrong" || { echo "run gofmt -w on:"; echo "$$wrong"; exit 1; }

vet: ## go vet
	go vet ./...

tidy-check: ## go.mod and go.sum are as go mod tidy writes them
	go mod tidy -diff

generate-check: ## graph/generated is what gqlgen makes of the schema, and every type is bound
	hack/generate-check

lint: .bin/golangci-lint-$(GOLANGCI_LINT)/golangci-lint ## golangci-lint, as .golangci.yml says
	$< run ./...

race: .bin/withpostgres ## all Go tests with the race detector, the rule of imports among them; needs a C compiler
	@cc=$$(go env CC | cut -d ' ' -f 1); command -v "$$cc" >/dev/null || \
		{ echo "The race detector needs a C compiler, and there is no $$cc: install gcc (make test needs none)."; exit 1; }
	CGO_ENABLED=1 .bin/withpostgres -- go test -race -count=1 -timeout=15m $(TESTFLAGS) ./...

fuzz: ## each fuzz target for FUZZTIME (10s)
	hack/fuzz $(FUZZTIME)

prove: .bin/withpostgres ## the proofs with their real durations: model, linearizability, crash, zombie; docs/reliability.md tells what each holds
	JOBMANAGER_PROVE=1 CGO_ENABLED=0 .bin/withpostgres -- go test -count=1 -timeout=30m -run '^TestProof' $(TESTFLAGS) ./internal/...

seeded-bugs: .bin/withpostgres ## bring classic defects back, one by one in a copy, and show which test catches each
	CGO_ENABLED=0 .bin/withpostgres -- go run ./hack/seededbugs

conformance: build ## the npm suites with real clients, against the binary; needs Node.js and npm
	@command -v npm >/dev/null || { echo "The conformance suites need Node.js and npm: install the packages nodejs and npm."; exit 1; }
	cd conformance && npm ci --no-audit --no-fund && npm test

generate: ## write graph/generated anew from schema.graphqls and gqlgen.yml
	go tool gqlgen generate

assets: ## fetch the pinned files of GraphiQL and Swagger UI and compare them with what is committed
	graph/graphiql/assets.sh
	rest/swagger/assets.sh

image-check: .bin/imagecheck ## hold the Dockerfile without Docker: its build, a static binary, a chroot, its health check
	.bin/imagecheck

.bin/withpostgres .bin/imagecheck:
	@CGO_ENABLED=0 go build -o $@ ./hack/$(notdir $@)

.bin/golangci-lint-$(GOLANGCI_LINT)/golangci-lint:
	CGO_ENABLED=0 GOBIN=$(CURDIR)/$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
