# The way in: `make demo` and `make test`. Every target sets up what it needs; the first run downloads.
SHELL := /bin/bash
export MLPLAT_HOME ?= $(CURDIR)/.mlplat
PYTHON := .venv/bin/python
# What the job half's tests leave out: trainings run in their framework's own Python, whoever starts them.
JOB_HALF := not (tensorflow or mxnet or torch or jax or caffe)
.PHONY: demo up down images test prove bench check lock clean setup

demo: setup        ## the main job on real images; exits 0 if a champion was promoted
	$(PYTHON) scripts/demo.py run
up: setup          ## the same, and leave Airflow's UI running
	$(PYTHON) scripts/demo.py up
down:              ## stop what `up` left running
	[ ! -x $(PYTHON) ] || $(PYTHON) scripts/demo.py down
setup:
	scripts/setup airflow tensorflow mxnet
images: setup      ## the images of jobs in containers (launcher="docker"); needs a Docker Engine, that of DOCKER_HOST
	scripts/images
test: setup        ## all tests; parts whose server is absent are skipped with a reason
	scripts/setup job-half jax caffe bench
	$(PYTHON) -m pytest -rs --ignore=tests/proofs
	.venvs/job-half/bin/python -m pytest -rs -m "$(JOB_HALF)" tests/test_contract.py tests/test_errors.py tests/compiled tests/store tests/data tests/stages tests/runtime
prove: setup       ## the promises, each by a proof; K="name other-name" runs some
	scripts/setup job-half jax caffe bench
	$(PYTHON) -m pytest -s --timeout=5400 tests/proofs --proofs "$(K)" $(PROVE_OPTIONS)
bench: setup       ## our loader and cache beside their peers, into benchmarks/results; quiet machines only
	scripts/setup job-half bench
	.venvs/bench/bin/python -m benchmarks
check: setup       ## format, lint, types
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
lock:              ## after a change of dependencies
	uv lock
clean: down        ## remove everything that any target made
	rm -rf .venv .venvs .tools .mlplat .services build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis airflow_mlplat/compiled/*.so
