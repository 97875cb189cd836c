# SPDX-License-Identifier: GPL-3.0-or-later
# Works as root, and as a user with sudo without a password.

VENV := .venv
ANSIBLE := $(VENV)/bin/ansible-playbook
SUDO := $(if $(filter 0,$(shell id -u)),,sudo -n)
# A program of the tests, which finds the collection through the link in collections.
RUN := env PYTHONPATH=collections $(VENV)/bin/python -m

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: lab
lab: lab-up ## Build a real AERO link on this machine and prove it
	$(ANSIBLE) playbooks/site.yml
	$(ANSIBLE) playbooks/verify.yml
	@cat roles/lab/files/what_next.txt

.PHONY: lab-up
lab-up: venv root ## Start the lab's nodes and network, with nothing on them yet
	$(ANSIBLE) playbooks/lab_up.yml

.PHONY: lab-down
lab-down: venv root ## Take the lab down; caches stay in .lab/cache
	$(ANSIBLE) playbooks/lab_down.yml

.PHONY: venv
venv: $(VENV)/runtime.done ## Install Ansible into .venv

.PHONY: venv-dev
venv-dev: $(VENV)/development.done ## Install linters and test tools into .venv too

.PHONY: root
root:
	@$(SUDO) true || { echo "The lab needs root, or sudo without a password." >&2; exit 1; }

$(VENV)/bin/pip:
	@/usr/bin/python3 -c 'import ensurepip' 2>/dev/null || \
	    { $(SUDO) apt-get update && $(SUDO) apt-get install --yes --no-install-recommends python3-venv; }
	/usr/bin/python3 -m venv $(VENV)

$(VENV)/runtime.done: requirements.txt | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

$(VENV)/development.done: requirements-dev.txt requirements.txt | $(VENV)/bin/pip
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

.PHONY: test
test: lint unit sanity integration conformance lab-test ## Run the tests: linters, unit, sanity, integration, conformance, and the lab from nothing with each back end

.PHONY: lint
lint: venv-dev
	$(VENV)/bin/ruff check
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" ansible-lint
	$(VENV)/bin/antsibull-changelog lint

.PHONY: unit
unit: venv-dev daemons ## Run the unit tests
	$(VENV)/bin/python -m pytest tests/unit tests/fuzz tests/simulation

.PHONY: fuzz
fuzz: venv-dev ## Feed the daemon's core a million packets that nobody should send, and events in any order
	$(RUN) tests.fuzz

.PHONY: simulation
simulation: venv-dev ## Run 20,000 Clients in memory, then links of 1,000 to 100,000 for the cost curve
	$(RUN) tests.simulation --clients 20000 --servers 200
	$(RUN) tests.simulation --clients 1000 3000 10000 30000 100000 --storm 0 --checked 2000

.PHONY: sanity
sanity: venv-dev ## Run ansible-test sanity on the built collection
	tests/sanity/run

.PHONY: integration
integration: venv-dev daemons root ## Run real daemons against each other in network namespaces
	$(SUDO) $(VENV)/bin/python -m pytest tests/integration tests/chaos

.PHONY: chaos
chaos: venv-dev daemons root ## Kill, cut and fill a link of 200 Clients, and see it find back (EVENTS=100 SEED=... BACKEND=kea)
	$(SUDO) $(RUN) tests.chaos --events $(or $(EVENTS),100) $(if $(SEED),--seed $(SEED)) $(if $(BACKEND),--backend $(BACKEND))

# Most of these tests wait rather than compute, so there are more workers than small machines have cores.
# As a part of `make test` it leaves the page as it is.
CONFORMANCE := --write-table
test: CONFORMANCE :=

.PHONY: conformance
conformance: venv-dev daemons root ## Test aerod against the list of requirements; writes docs/conformance.md
	$(SUDO) $(VENV)/bin/python -m pytest tests/conformance --numprocesses 3 --dist loadfile $(CONFORMANCE)

.PHONY: lab-test
lab-test: venv-dev root ## Build the lab's link from bare nodes and test it with each DHCPv6 back end, then take it down
	$(MAKE) lab-down
	$(call in-scenario,default,)
	$(MAKE) lab-test-back-ends
	$(MAKE) lab-down

.PHONY: lab-test-back-ends
lab-test-back-ends: venv-dev root ## Change the running lab's link to each other DHCPv6 back end, and test that
	$(call in-scenario,kea_postgresql,test_back_end.py test_reboot.py)
	$(call in-scenario,isc,test_back_end.py test_reboot.py)

# in-scenario NAME,TESTS: bring the lab to a molecule scenario, which is called as its back end is, and test it there.
define in-scenario
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" molecule reset --scenario-name $(1)
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" molecule test --scenario-name $(1) --destroy never
	$(SUDO) env AERO_LAB_BACKEND=$(filter-out default,$(1)) $(VENV)/bin/python -m pytest $(addprefix tests/lab/,$(or $(2),.))
endef

.PHONY: bench
bench: root ## Measure what the running lab costs
	$(SUDO) $(RUN) tests.bench.lab

.PHONY: bench-handover
bench-handover: venv-dev daemons root ## Measure what moves cost streams in the running lab (MOVES, KINDS, LIMITS, SEED)
	$(SUDO) env MOVES="$(MOVES)" KINDS="$(KINDS)" LIMITS="$(LIMITS)" SEED="$(SEED)" $(RUN) tests.bench.handover

.PHONY: bench-enrolment
bench-enrolment: root ## Measure what 1,000 new Clients cost the running lab with a table of 100,000 (ROWS, NEW)
	$(SUDO) env ROWS="$(ROWS)" NEW="$(NEW)" $(RUN) tests.bench.enrolment

.PHONY: bench-table
bench-table: venv-dev ## Measure what ACP tables of up to a million rows cost the controller (SIZES)
	$(RUN) tests.bench.acp_table $(SIZES)

.PHONY: bench-delegation
bench-delegation: venv-dev daemons root ## Measure delegations through aerod and past it (BACKENDS, SIZES, CLIENTS)
	$(SUDO) env BACKENDS="$(BACKENDS)" SIZES="$(SIZES)" CLIENTS="$(CLIENTS)" $(RUN) tests.bench.delegation

.PHONY: daemons
daemons:
	@$(SUDO) tests/install-daemons
