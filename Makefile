# make report | test | lab | lint: each sets up what it needs, in .venv beside this file.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/ready
LOCK_DAYS = $(shell made=$$(git log -1 --format=%ct requirements.lock 2>/dev/null); \
	echo $$(( ($$(date +%s) - $${made:-$$(date -r requirements.lock +%s)}) / 86400 )))

.PHONY: help report test lab calibrate lint lock audit messages clean

help:
	@echo "make report   run every notebook for every example region; reports/index.html"
	@echo "              (LANGUAGE=zh: in Chinese; LANGUAGE=both: side by side, Chinese in reports/zh)"
	@echo "              names in Chinese need a font: apt install fonts-noto-cjk, or Noto Sans CJK SC"
	@echo "make test     all tests"
	@echo "make lab      JupyterLab, with the workbook importable (FLAGS=... for more options)"
	@echo "make calibrate  error rates of the verdicts, in simulated regions (hours)"
	@echo "make lint     what a commit must pass"
	@echo "make lock     resolve requirements.lock anew from pyproject.toml; it is $(LOCK_DAYS) days old"
	@echo "make audit    known vulnerabilities of what it pins, where their database can be reached"
	@echo "make messages sentences of the sources into the catalogue of translations"
	@echo "make clean    remove the virtual environment"

report: $(READY)
	$(BIN)/workbook run $(addprefix --language ,$(filter en zh both,$(LANGUAGE)))
	$(BIN)/workbook run --source pilot $(addprefix --notebook ,trials H09 H19) \
		$(addprefix --language ,$(filter en zh both,$(LANGUAGE)))

test: $(READY)
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
		$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

lab: $(READY) data/example
	$(BIN)/jupyter lab --notebook-dir=. notebooks $(FLAGS)

calibrate: $(READY)
	$(BIN)/workbook calibrate $(FLAGS)

lint: $(READY)
	$(BIN)/pre-commit run --all-files

data/example: | $(READY)
	$(BIN)/workbook example

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed, and was not found."; exit 1; }
	@echo "Setting up .venv (about 700 MB, a minute or two)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	$(BIN)/python -m ipykernel install --prefix .venv --name customer-research-workbook \
		--display-name "Customer research workbook"
	mkdir -p .venv/etc/jupyter && printf '%s\n' \
		'{"FileContentsManager": {"pre_save_hook": "workbook.lab.save_as_in_git"}}' \
		> .venv/etc/jupyter/jupyter_server_config.json
	@touch $@

audit:
	.ci/audit

lock:
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--extra test --extra build --no-annotate --no-header \
		pyproject.toml --output-file requirements.lock
	rm -rf .venv-lock

messages: $(READY)
	$(BIN)/python -m analysis.language.update

clean:
	rm -rf .venv
