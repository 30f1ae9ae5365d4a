#!/usr/bin/env bash
# Runs the tests of the command line on the program as users get it: optimised, and linked with everything in it.
#
# The other suites run on the debug build, in which objects live longer and some faults never show.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

swift build -c release --product moha-sync
MOHA_TEST_PROGRAM=$PWD/.build/release/moha-sync bash scripts/swift-test.sh --filter CommandTests
