#!/usr/bin/env bash
# Runs one suite of this folder with the Python that has the clients.
#
#   bash Tests/clients/run.sh SUITE [ARGUMENT...]     for example: story, schema, fuzz --seed 7, restart
#
# The programs under test are those of .build/debug; MOHA_BUILD names another folder. Exit status: that of the suite.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

suite=${1:?"the name of a suite is missing"}
shift
bash Tests/clients/setup.sh
exec .build/clients/current/bin/python -B "Tests/clients/$suite.py" "$@"
