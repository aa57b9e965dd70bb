"""The stack in containers, seen from the machine that runs them.

Modules of this package, and of `upgrade` and `airgap`, use the standard library alone: a machine
with Docker has a python3 and no .venv of ours.
"""
