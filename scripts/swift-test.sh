#!/usr/bin/env bash
# Runs the tests that are built, twelve at once; arguments are those of `swift test`.
#
# All tests at once would make every program that they start wait for all others: limits that a person waits for, such as
# a second for a look, would pass for no fault of the program's. Older toolchains do not know the option.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

width=(--experimental-maximum-parallelization-width 12)
# The whole help is read: a pipe that is closed early would be its failure.
help=$(swift test --help-hidden 2>/dev/null || true)
[[ $help == *"${width[0]}"* ]] || width=()
exec swift test --skip-build --disable-xctest --enable-swift-testing "${width[@]}" "$@"
