#!/usr/bin/env bash
# Looks at the pages of `serve` and at the report in a headless Chromium.
#
#   bash Tests/pages/run.sh
#
# Makes a Python environment below .build/pages when the list of versions changes; the browser is the system's own.
# The program under test is that of .build/debug; MOHA_BUILD names another folder. Pictures of every page are left in
# .build/pages/shots. Exit status: 0 when every check held.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

folder=.build/pages
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
if ! cmp -s Tests/pages/requirements.txt "$folder/venv/complete.txt"; then
  printf 'Making the Python environment %s\n' "$folder/venv" >&2
  rm -rf "$folder/venv"
  python3 -m venv "$folder/venv" >&2
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --requirement Tests/pages/requirements.txt >&2
  # Written last: an interrupted installation has no such file.
  cp Tests/pages/requirements.txt "$folder/venv/complete.txt"
fi
exec "$folder/venv/bin/python" -B Tests/pages/look.py "$@"
