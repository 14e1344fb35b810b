# make demo       everything: environment, lab, deploy, zones, audit; a second time what is there is used again
# make demo-down  every trace of it away again
# make test       all tests but five files and one test, fast ones first, the lab's with one boot (the lab is taken down before and after)
# make test-full  the same without samples, and a province of 3,500 units; goes on where it was cut; docs/test-full.md
# make mutation   every fault in a lab of its own, one at a time: each must turn an audit red as declared; docs/mutation.md
# make bench      figures and ratios
.DEFAULT_GOAL := help
.PHONY: help demo demo-down test test-full mutation fast bench lint python lab-packages

PYTHON ?= python3
BIN := .venv/bin
LAB := inventories/lab
RESULT := build/demo
STATE := $(or $(EDUMAIL_LAB_DIR),/var/lib/edumail-lab)
LONG := auditor moving moving_person zy_stopped_host zz_journal
SLOWEST := antivirus.py::test_while_the_scanner_hangs_mail_waits
# The authority of the lab's outside world, for the links that lead there.
OUTSIDE := $(STATE)/outside.pem
# Each demo's report is new, compared with the last and signed by the lab's auditor.
REPORT := $(RESULT)/$(shell date +%Y%m%d-%H%M%S)
LAST = $(lastword $(sort $(patsubst %/SHA256SUMS,%,$(wildcard $(RESULT)/*/SHA256SUMS))))
# What the lab needs of the machine; each is checked for before it is asked for.
PACKAGES := mmdebstrap systemd-container nftables iproute2 openssh-client debian-archive-keyring chromium chromium-driver libnss3-tools fonts-dejavu-core
# The checker of HTML runs on Java; slips are read from paper; what reaches the disk is seen by strace. Only tests need these.
test test-full: PACKAGES += default-jre-headless poppler-utils zbar-tools strace

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Cần Python 3.11 trở lên / Python 3.11 or newer is needed" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Thiếu venv: apt-get install python3-venv / venv is missing: apt-get install python3-venv" >&2; exit 1; }

.venv/ready: requirements.txt pyproject.toml | python
	@echo "[venv] $$(grep -c '==' requirements.txt) gói Python / Python packages"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lab-packages: python
	@$(PYTHON) -m lab preflight
	@for package in $(PACKAGES); do dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; done; \
	[ -z "$$missing" ] || { echo "[apt]$$missing"; { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing; } > .apt.log 2>&1 || { tail -5 .apt.log >&2; exit 1; }; rm -f .apt.log; }

demo: lab-packages .venv/ready
	@mkdir -p $(RESULT)
	@$(BIN)/edumail lab up
	@$(BIN)/edumail deploy $(LAB)
	@$(BIN)/edumail lab dns
	@SSL_CERT_FILE=$(OUTSIDE) $(BIN)/edumail verify $(LAB) --outside kiemtra@ngoai.test --json $(RESULT)/verdicts.json
	@$(BIN)/edumail report $(LAB) --verdicts $(RESULT)/verdicts.json --out $(REPORT) --key $(STATE)/ssh/id_ed25519 $(addprefix --previous ,$(LAST))
	@$(BIN)/edumail report --check $(REPORT) $(LAB)
	@$(BIN)/edumail lab guide --report $(CURDIR)/$(REPORT)/report.html

demo-down:
	@$(PYTHON) -m lab down --purge
	@rm -rf $(LAB)/published $(LAB)/secrets $(LAB)/auditors build

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fast: lint
	$(BIN)/pytest -q -n 2 tests/core tests/plan

# Packages first: one of the fast tests reads a PDF with one of them.
test: lab-packages fast
	# What journals say also depends on the machine and its hour, and the others take minutes each: make test-full.
	$(BIN)/pytest -q tests/lab $(LONG:%=--ignore=tests/lab/test_%.py) $(SLOWEST:%=--deselect=tests/lab/test_%)

test-full: .venv/ready lab-packages
	@$(BIN)/python tests/full.py

mutation: lab-packages .venv/ready
	@$(BIN)/edumail lab up
	@$(BIN)/edumail deploy $(LAB)
	@$(BIN)/edumail lab dns
	@$(BIN)/python -m tests.mutation.run

bench: lab-packages .venv/ready
	$(BIN)/python -m bench.compile
	$(BIN)/python -m bench.roster
	$(BIN)/python -m bench.deploy
	$(BIN)/python -m bench.groups
	$(BIN)/python -m bench.postfix
	$(BIN)/python -m bench.mail
	$(BIN)/python -m bench.search
	$(BIN)/python -m bench.portal
	$(BIN)/python -m bench.portal_serving
	$(BIN)/python -m bench.selfservice
	$(BIN)/python -m bench.audit
