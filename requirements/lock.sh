#!/usr/bin/env bash
# Writes the hashed lock of each group of pyproject.toml. `make lock` runs it.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  local name=$1
  shift
  uv pip compile pyproject.toml "$@" --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
    --custom-compile-command 'make lock' --quiet --output-file "requirements/$name.txt"
  echo "requirements/$name.txt"
}
compile worker
compile scoring --extra scoring
compile asr --extra asr
compile stack --extra stack
compile dev --extra dev
