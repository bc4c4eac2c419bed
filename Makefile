# Everything a newcomer types. `make run` and `make test` work on a fresh clone with Rust, gcc, Python 3 and pip.

export LIBTORCH ?= $(CURDIR)/.libtorch
CARGO ?= cargo
COMPT := target/debug/compt

.DEFAULT_GOAL := help
.PHONY: help setup build run paper-smoke test check bench chaos fuzz mutants clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## prepare libtorch in .libtorch/ (LIBTORCH of your own wins)
	@LIBTORCH=$(filter-out $(CURDIR)/.libtorch,$(LIBTORCH)) tools/setup-libtorch.sh

build: setup ## compile compt and compt-worker into target/debug/
	$(CARGO) build --workspace

run: build ## the quickstart pipeline, from nothing to the table and the claims
	$(COMPT) run pipelines/quickstart.yaml
	@echo
	@echo "next, the real thing (T5-base, data from the hub; with --profile smoke small, on built-in data):"
	@echo "  $(COMPT) run pipelines/set2_modularity.yaml"

paper-smoke: build ## every table and figure of the paper, small, on built-in data
	$(COMPT) run pipelines/paper.yaml --profile smoke

test: build ## every test
	$(CARGO) test --workspace --no-fail-fast

check: build ## formatting, lints, docs, schema drift
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet
	$(COMPT) schema --check

bench: build ## throughput beside transformers + PEFT, many small stages beside ninja and others; JSON lines
	$(CARGO) build --workspace --examples
	python3 tools/bench.py
	python3 tools/scale.py

chaos: build ## kill runners and workers at random for five minutes, then compare with an undisturbed run
	python3 tools/chaos.py --minutes $(or $(MINUTES),5) --seed $(or $(SEED),0)

fuzz: ## any bytes as a pipeline file for ten minutes, any text as a selection for three (wants cargo install cargo-fuzz)
	mkdir -p target/fuzz/pipeline target/fuzz/selection && cp pipelines/*.yaml tests/diagnostics/*.yaml target/fuzz/pipeline/
	RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --fuzz-dir fuzz pipeline target/fuzz/pipeline -- \
	  -dict=fuzz/pipeline.dict -max_total_time=600 -timeout=20
	RUSTC_BOOTSTRAP=1 $(CARGO) fuzz run --fuzz-dir fuzz selection target/fuzz/selection fuzz/seeds/selection -- \
	  -dict=fuzz/selection.dict -max_total_time=180 -timeout=20

mutants: ## change one thing at a time in the key and the selection: does a test fail? (wants cargo install cargo-mutants)
	tools/mutants.sh

clean: ## remove what was built (results in outputs/ and .compt/ stay)
	$(CARGO) clean
