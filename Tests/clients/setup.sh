#!/usr/bin/env bash
# Makes the Python environments that hold the MCP clients, below .build/clients, and leaves those that are up to date.
#
#   bash Tests/clients/setup.sh
#
# `current` holds the SDK of both eras, the second client and the checker; `older` the last SDK that knows only the
# handshake. Each is made anew when its list of versions changes. Progress is on standard error. Needs python3 with
# the venv module, and pip's package index.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

folder=.build/clients
mkdir -p "$folder"

# Suites can start side by side: one makes the environments, the others wait for it.
exec 9>"$folder/lock"
flock 9

for name in current older; do
  list=Tests/clients/$name.txt
  environment=$folder/$name
  if cmp -s "$list" "$environment/complete.txt"; then continue; fi
  printf 'Making the Python environment %s\n' "$environment" >&2
  rm -rf "$environment"
  python3 -m venv "$environment" >&2
  "$environment/bin/pip" install --quiet --disable-pip-version-check --requirement "$list" >&2
  # Written last: an interrupted installation has no such file.
  cp "$list" "$environment/complete.txt"
done
