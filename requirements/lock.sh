#!/usr/bin/env bash
# Writes the hashed lock of each group of pyproject.toml. `make lock` runs it.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  local name=$1
  shift
  uv pip compile "$@" --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
    --custom-compile-command 'make lock' --quiet --output-file "requirements/$name.txt"
  echo "requirements/$name.txt"
}
compile worker pyproject.toml
compile scoring pyproject.toml --extra scoring
compile asr pyproject.toml --extra asr
compile stack pyproject.toml --extra stack
compile embed pyproject.toml --extra embed
compile tracing pyproject.toml --extra tracing
compile dev pyproject.toml --extra dev
compile rivals requirements/rivals.in
grep -o '^uv==[^ ]*' requirements/dev.txt | compile bootstrap -
