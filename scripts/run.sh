#!/usr/bin/env bash
# From a fresh clone to a verified database: installs what is missing, builds, starts the private Postgres and
# Redis, migrates, restores the records from git, verifies, and prints the report.
#
#   bash scripts/run.sh
#
# The servers keep running; `.build/release/moha-sync down` stops them. The exit status is that of `verify`: 0 when
# the database equals git.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

binary=.build/release/moha-sync
steps=6
step=0

if [[ -t 2 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  bold=$'\e[1m' plain=$'\e[0m'
else
  bold='' plain=''
fi

say() {
  step=$((step + 1))
  printf '%s[%d/%d] %s%s\n' "$bold" "$step" "$steps" "$*" "$plain" >&2
}

moha() { "$binary" --root . "$@"; }

say "Checking the system's packages"
bash scripts/install-dependencies.sh
if ! command -v swift >/dev/null; then
  printf 'The Swift toolchain is not in PATH. See https://www.swift.org/install/linux/\n' >&2
  exit 1
fi

say "Building (the first time takes a few minutes)"
swift build -c release --product moha-sync >&2

say "Starting the private Postgres and Redis"
moha up

say "Migrating the database"
moha migrate

say "Restoring the records from git"
moha sync

say "Verifying: what git holds against what the database holds"
result=0
moha verify || result=$?
# The report: what a reconcile would change, nothing when in sync. Its exit status repeats what verify said.
moha reconcile --dry-run || true

if ((result == 0)); then
  printf '%sIn sync.%s Stop the servers with: %s --root . down\n' "$bold" "$plain" "$binary" >&2
else
  printf '%sNot in sync%s (exit status %d). See the findings above.\n' "$bold" "$plain" "$result" >&2
fi
exit "$result"
