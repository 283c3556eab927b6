# Everything that is done to this tree, one target each. `make` lists them.

SHELL         := bash
.SHELLFLAGS   := -euo pipefail -c
.DEFAULT_GOAL := help

GO          ?= go
BIN         := bin/holdfast
SCREENSHOTS := bin/screenshots
FUZZTIME    ?= 30s
CI_FUZZTIME ?= 2s
BENCH       ?= .

# The version is what the build info says, so the commit is stamped wherever there is one,
# also under a GOFLAGS that turns the stamp off; a source archive has none and still builds.
VCS := $(shell git rev-parse --quiet --verify HEAD >/dev/null 2>&1 && echo auto || echo false)

.PHONY: help build image run test race lint fuzz bench soak swaprace drain ci clean

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the static binary bin/holdfast
	CGO_ENABLED=0 $(GO) build -buildvcs=$(VCS) -trimpath -o $(BIN) ./cmd/holdfast

# The labels and time stamps are the commit's, so that one commit makes one image.
image: build ## Build the image bin/holdfast.oci.tar on nothing but the binary (needs buildah)
	VERSION="$$(git describe --tags --always --dirty 2>/dev/null || echo devel)" \
	REVISION="$$(git rev-parse HEAD 2>/dev/null || echo unknown)" \
	SOURCE_DATE_EPOCH="$$(git log -1 --format=%ct 2>/dev/null || echo 0)" \
	deploy/image.sh $(BIN) bin/holdfast.oci.tar

run: build ## Serve the demo site on https://127.0.0.1:8443 (STATE=DIR keeps keys there)
	@$(BIN) demo $(if $(STATE),--state '$(STATE)')

test: ## Run all tests; those that need another program skip without it
	$(GO) test ./...

race: ## Run all tests under the race detector
	$(GO) test -race ./...

lint: ## gofmt, go vet, staticcheck, shell syntax
	@unformatted="$$(gofmt -l .)"; \
	if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	bash -n .ci/run
	bash -n deploy/image.sh

# One compilation lists the targets: names come first, then the "ok PACKAGE" they belong to.
# Go's fuzzer sometimes calls it a failure that its time ended in the middle of an input
# (context deadline exceeded). A real find names the file that it was written to, or the test.
fuzz: ## Fuzz every target in turn, FUZZTIME=30s each
	@$(GO) test -list '^Fuzz' ./... | \
	awk '/^Fuzz/ { name[n++] = $$1 } $$1 == "ok" { while (n > 0) print $$2, name[--n] }' | \
	while read -r package target; do \
		echo "-- $$target in $$package for $(FUZZTIME)"; \
		said="$$($(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) "$$package" </dev/null 2>&1)" && ended=0 || ended=$$?; \
		echo "$$said"; \
		if [ $$ended -ne 0 ] && { grep -qE 'Failing input|_test\.go:|panic' <<<"$$said" || ! grep -q '^ *context deadline exceeded$$' <<<"$$said"; }; then exit 1; fi; \
	done

# In-process figures first, in the form that benchstat reads; then whole processes.
bench: ## Run the benchmarks (BENCH=REGEXP, VERSUS='-case get -rounds 15')
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	$(GO) build -o bin/versus ./http1/versus
	bin/versus -json bin/bench.json $(VERSUS)

soak: ## The tests in real time: 36 minutes
	HOLDFAST_SOAK=1 $(GO) test -count=1 -v -timeout 90m -run '^TestSoak' ./cmd/holdfast

# With and without a cache in front of the disk, a million requests each.
swaprace: ## Swap directories for links out of the root under a million requests: minutes
	HOLDFAST_STORM=1000000 $(GO) test -count=1 -v -timeout 60m -run '^TestSwapRace$$' ./http1/files

# Ours and others in turn; the table is in the output, the rest in the JSON.
drain: ## Replace servers under load 20 times and count what is lost: 25 minutes
	HOLDFAST_DRAIN=1 HOLDFAST_DRAIN_JSON='$(CURDIR)/bin/drain.json' \
	$(GO) test -count=1 -v -timeout 90m -run '^TestDrainProof$$' ./cmd/holdfast

# With HOLDFAST_CI=1 a missing program fails its test instead of skipping it. What the browser
# showed is in bin/screenshots afterwards.
ci: ## What must pass before a change lands
	@echo "== ci 1/4: lint"
	@$(MAKE) --no-print-directory lint
	@echo "== ci 2/4: static binary"
	@$(MAKE) --no-print-directory build
	@echo "== ci 3/4: tests under the race detector, end-to-end ones included"
	HOLDFAST_CI=1 HOLDFAST_SCREENSHOTS='$(CURDIR)/$(SCREENSHOTS)' $(GO) test -race -count=1 -timeout 20m ./...
	@echo "== ci 4/4: each fuzz target for $(CI_FUZZTIME)"
	@$(MAKE) --no-print-directory fuzz FUZZTIME=$(CI_FUZZTIME)
	@echo "== ci: passed"

clean: ## Remove what the targets above built
	rm -rf bin coverage.out coverage.html
	find . -name '*.test' -type f -delete
