"""Causes before anything answers: files, disk, processes, ports."""

from voicestack.diagnosis.cause import Cause

FILES, PROCESSES = "settings and files", "processes and ports"

TABLE: tuple[Cause, ...] = (
    Cause(
        "SET001",
        FILES,
        "the settings are unfit",
        "nothing starts with them, and nothing that runs can be compared with them",
        "mend the lines named; .env.example lists every variable",
    ),
    Cause(
        "SET002",
        FILES,
        "there are no secrets: this stack was never started",
        "STATE_DIR points at an empty folder, or `make up` has not run yet",
        "`make up`",
    ),
    Cause(
        "SET003",
        FILES,
        "a secret can be read or changed by others",
        "the services refuse it at the next start; whoever read it can sign tokens",
        "`chmod` as the message says; renew the secret if others had access",
    ),
    Cause(
        "SET004",
        FILES,
        "a secret is missing or damaged",
        "the next start fails, or makes a new one that running services do not know",
        "`make down`, remove the file, `make up` makes it anew",
    ),
    Cause(
        "SET005",
        FILES,
        "a rendered configuration is not what .env and the secrets say",
        "a service runs with values from before a change, or somebody edited the file by hand",
        "`make down && make up` renders all of them anew",
    ),
    Cause(
        "SET006",
        FILES,
        "the lines file has a fault",
        "control keeps the last good lines; the change that you made is not in effect",
        "mend the lines named; `.venv/bin/python scripts/lines.py show` checks the file",
    ),
    Cause(
        "SET007",
        FILES,
        "a program of the stack is not installed",
        "the service cannot start",
        "`make setup` installs what is missing",
    ),
    Cause(
        "SET008",
        FILES,
        "model weights are missing",
        "the model server or the worker ends as soon as it starts",
        "`make setup` fetches what is missing; a wrong name in .env is the other possibility",
    ),
    Cause(
        "SET009",
        FILES,
        "a configuration file with secrets can be read by others",
        "it holds the Redis password or the API secret in clear",
        "`chmod 600` the file; renew the secrets if others had access",
    ),
    Cause(
        "SET010",
        FILES,
        "this machine's address is not the one that the stack announces",
        "the address changed after the start (DHCP, another network): phones send their audio to "
        "the old one",
        "`make down && make up`, or set NODE_IP",
    ),
    Cause(
        "SET011",
        FILES,
        "a service refuses its configuration",
        "it ends as soon as it starts, again and again: a key that it does not know, or no YAML",
        "undo the change of the file, or `make down && make up` renders it anew from .env",
    ),
    Cause(
        "DSK001",
        FILES,
        "the disk is full",
        "Redis stops taking writes, logs and recordings end",
        "free space on the file system of STATE_DIR; `du -xh --max-depth=2` finds what is large",
    ),
    Cause(
        "DSK002",
        FILES,
        "the file system has no inodes left",
        "no file can be made although there is space",
        "remove small files; `df -i` shows where",
    ),
    Cause(
        "PRC001",
        PROCESSES,
        "the stack is down",
        "no supervisor and no service of this STATE_DIR runs",
        "`make up`",
    ),
    Cause(
        "PRC002",
        PROCESSES,
        "the supervisor is gone, its services run on",
        "nothing restarts a service that dies",
        "`make up` ends the leftovers and starts afresh",
    ),
    Cause(
        "PRC003",
        PROCESSES,
        "a service does not run",
        "it was stopped, or ends as soon as it starts",
        "read its log: `make logs S=<service>`; `make up` starts what is missing",
    ),
    Cause(
        "PRC004",
        PROCESSES,
        "a service is frozen",
        "the process exists but was stopped (SIGSTOP, a debugger): it takes connections and "
        "answers none",
        "`kill -CONT <pid>`, or `kill -KILL <pid>`: the supervisor starts it again",
    ),
    Cause(
        "PRC005",
        PROCESSES,
        "a service runs but does not listen",
        "it is still starting, or it was told another port",
        "wait ten seconds and look again; then read its log",
    ),
    Cause(
        "PRC099",
        PROCESSES,
        "a service is not ready, cause unknown",
        "everything that was looked at is in order, and yet its readiness probe fails",
        "read its log: `make logs S=<service>`",
    ),
    Cause(
        "CON001",
        PROCESSES,
        "a container does not run",
        "it was stopped, or ends as soon as it starts (docs/compose.md)",
        "`docker compose logs SERVICE`; `docker compose up --detach --wait` starts what is missing",
    ),
    Cause(
        "CON099",
        PROCESSES,
        "a container is not well, cause unknown",
        "everything that was looked at is in order, and yet its own health check fails",
        "`docker compose logs SERVICE`",
    ),
    Cause(
        "PRT001",
        PROCESSES,
        "a port is taken by another program",
        "the service cannot listen, and what comes to the port reaches a stranger",
        "end that program, or move: SIP_PORT, HTTPS_PORT, or STACK_PORT_BASE for all ports",
    ),
)
