#!/usr/bin/env bash
# Installs the Debian packages that the project needs and that are not there yet.
#
#   bash scripts/install-dependencies.sh [PACKAGE...]
#
# Further packages to install can be named. Runs apt-get only when something is missing, through sudo when not
# root. Progress is on standard error. Exit status: 0 when everything is there, 1 otherwise.
set -euo pipefail

packages=(git libgit2-dev libpq-dev libhiredis-dev pkg-config postgresql-15 postgresql-client-15 redis-server
  util-linux "$@")

say() { printf '%s\n' "$*" >&2; }

is_installed() {
  local status
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) || return 1
  [[ $status == installed ]]
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  say "This script installs packages with apt, which is not on this machine."
  say "Install what corresponds to: ${packages[*]}"
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    say "Missing packages: ${missing[*]}"
    say "Install them as root: apt-get install ${missing[*]}"
    exit 1
  fi
  as_root=(sudo)
fi

say "Installing: ${missing[*]}"

# Debian's postgresql-15 makes and starts a cluster of the whole system when it is installed. The project runs a
# private one, so a first installation is told not to. What is there already is left as it is.
if [[ " ${missing[*]} " == *" postgresql-15 "* && ! -e /etc/postgresql-common/createcluster.conf ]]; then
  "${as_root[@]}" mkdir -p /etc/postgresql-common
  printf 'create_main_cluster = false\n' |
    "${as_root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
fi

# The configuration file above is older than its package: keep it without asking.
install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends
  -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "${missing[@]}")
# The package lists may be missing or out of date: fetch them, and only then.
if ! "${install[@]}" >&2; then
  say "Fetching the package lists and trying again."
  "${as_root[@]}" apt-get update >&2
  "${install[@]}" >&2
fi

for package in "${missing[@]}"; do
  if ! is_installed "$package"; then
    say "The package $package is still missing."
    exit 1
  fi
done
