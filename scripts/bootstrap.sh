#!/usr/bin/env bash
# The set-up before there is a Python of ours: distribution packages, uv, .venv from the lock.
# Usage: scripts/bootstrap.sh [--dev]    --dev adds what tests and `make check` need
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=voicestack/setup/distribution.sh
. voicestack/setup/distribution.sh

locks=(requirements/runtime.txt requirements/piper.txt)
[ "${1:-}" != --dev ] || locks+=(requirements/dev.txt)
# VOICESTACK_CACHE in .env counts here as it does later, in voicestack.settings.
from_env="$([ ! -f .env ] || sed -n 's/^VOICESTACK_CACHE=//p' .env | tr -d "\"'")"
cache="${VOICESTACK_CACHE:-${from_env:-${XDG_CACHE_HOME:-$HOME/.cache}/voicestack}}"
cache="${cache/#\~/$HOME}"
plugin=agent/livekit-plugins-faster-whisper
stamp=.venv/.voicestack-stamp

step() { printf '== %s (%d s)\n' "$1" "$SECONDS" >&2; }

# What decides what is in .venv, and where it is: moving the checkout breaks it.
wanted="$(sha256sum "${locks[@]}" pyproject.toml "$plugin/pyproject.toml" && pwd -P)"

read -ra missing <<<"$(missing_packages "${1:-}")"
if [ "${#missing[@]}" -gt 0 ]; then
    step "installing distribution packages: ${missing[*]}"
    install_packages "${missing[@]}"
fi

# Every wanted line is in the stamp: a .venv with --dev serves without it too.
if [ -x .venv/bin/python ] && [ -f "$stamp" ] && ! grep -qvxFf "$stamp" <<<"$wanted"; then
    exit 0
fi

uv="$(command -v uv || true)"
if [ -z "$uv" ]; then
    uv="$cache/uv/bin/uv"
    if ! "$uv" --version >/dev/null 2>&1; then
        step "installing uv into $cache/uv"
        python3 -m venv --clear "$cache/uv"
        "$cache/uv/bin/pip" install -q --disable-pip-version-check --require-hashes -r requirements/uv.txt
    fi
fi

# A .venv without a stamp was left half-made, or is not ours: made afresh. With one it is only updated.
# A system Python older than 3.11 is passed over; uv then fetches one.
if [ ! -f "$stamp" ] || ! .venv/bin/python -c '' 2>/dev/null; then
    "$uv" venv -q --clear --python '>=3.11,<3.15' .venv
fi
rm -f "$stamp"
step "Python packages, $(cat "${locks[@]}" | grep -c '^[a-z].*==') of them"
talk=()
[ -t 2 ] || talk=(-q) # a log needs no list of a hundred packages
"$uv" pip install "${talk[@]}" --python .venv --require-hashes "${locks[@]/#/--requirements=}"
"$uv" pip install -q --python .venv --no-deps --no-build-isolation -e . -e "$plugin"
printf '%s\n' "$wanted" >"$stamp.part"
mv "$stamp.part" "$stamp"
step ".venv is ready"
