#!/usr/bin/env bash
# Installs what the tests need, builds, and runs every suite.
#
#   bash scripts/test.sh [ARGUMENT OF swift test...]     for example: --filter RecordsTests
#
# The last line on standard output is `N passed, N failed`. Exit status: 0 when at least one test ran and none
# failed; a crash, an interrupted run or a run without tests is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Suites beside the Swift tests: one command each, run in this order from the top folder, success by exit status.
# Each counts as one test. With arguments, which choose among the Swift tests, they are left out.
extra_suites=(
  "python3 Tests/faults/sync_order.py"
  "python3 Tests/faults/sweep.py --seconds 110"
  "python3 Tests/faults/full_disk.py --seconds 20"
  "python3 Tests/faults/power_cut.py --seconds 25"
  "python3 Tests/faults/postgres_faults.py --seconds 24"
  "python3 Tests/faults/concurrency.py"
  "python3 Tests/faults/mixed.py --seconds 60"
  "python3 Tests/faults/planted_secrets.py"
  "python3 Tests/faults/large.py --kills 1"
  "bash Tests/release.sh"
  "bash Tests/clients/run.sh calibration"
  "bash Tests/clients/run.sh story"
  "bash Tests/clients/run.sh schema"
  "bash Tests/clients/run.sh check"
  "bash Tests/clients/run.sh fuzz"
  "bash Tests/clients/run.sh restart"
  "bash Tests/pages/run.sh"
)

passed=0
failed=0
# What failed, a line each: said once more at the end, since a log of the run may be cut to its last lines.
failures_seen=()

say() { printf '%s\n' "$*" >&2; }

finish() {
  if ((${#failures_seen[@]} > 0)); then printf 'Failed: %s\n' "${failures_seen[@]}" >&2; fi
  printf '%d passed, %d failed\n' "$passed" "$failed"
  if ((failed > 0 || passed == 0)); then exit 1; fi
  exit 0
}

# Adds the tests of an XML result file to the counts. Fails when the file is absent, or holds no test.
#
# Counts test cases and those with a failure or an error; skipped ones count as neither.
count_results() {
  local file=$1 cases failures skipped
  [[ -s $file ]] || return 1
  # The closing tag shows that the file was written to its end.
  grep -q '</testsuites>' "$file" || return 1
  # `|| true`: grep's status 1 means none, which is a result here.
  cases=$({ grep -o '<testcase[ >]' "$file" || true; } | wc -l)
  failures=$(awk '/<testcase[ >]/ { open = 1 } open && /<(failure|error)[ >\/]/ { count++; open = 0 }
    END { print count + 0 }' "$file")
  skipped=$({ grep -o '<skipped' "$file" || true; } | wc -l)
  ((cases > 0)) || return 1
  while IFS= read -r line; do failures_seen+=("$line"); done < <(failed_cases "$file")
  passed=$((passed + cases - failures - skipped))
  failed=$((failed + failures))
  if ((skipped > 0)); then say "$skipped skipped"; fi
}

# Prints the failed tests of an XML result file, a line each: class, name, and the start of the message.
failed_cases() {
  awk '/<testcase[ >]/ { open = 1; name = $0; sub(/.*classname="/, "", name); sub(/" name="/, " ", name); sub(/".*/, "", name) }
    open && /<(failure|error)[ >\/]/ {
      message = $0; sub(/.*message="/, "", message); sub(/".*/, "", message)
      print name ": " substr(message, 1, 300); open = 0
    }' "$1"
}

if ! bash scripts/install-dependencies.sh strace python3 python3-venv bsdutils e2fsprogs mount postgresql-client-15 pgbouncer \
  chromium gnupg openssh-client; then
  say "The tests need the packages above."
  failed=1
  finish
fi
if ! command -v swift >/dev/null; then
  say "The Swift toolchain is not in PATH. See https://www.swift.org/install/linux/"
  failed=1
  finish
fi

say "Building the tests"
if ! swift build --build-tests; then
  say "The build failed."
  failed=1
  finish
fi

# Both test libraries write a file of their own; Swift Testing's has a suffix.
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
say "Running the tests"
status=0
bash scripts/swift-test.sh --xunit-output "$results/tests.xml" "$@" || status=$?
before=$failed
counted=0
for file in "$results"/*.xml; do
  if count_results "$file"; then counted=1; fi
done
if ((counted == 0)); then
  say "No test result was written: the run crashed, or no test matched."
  failed=$((failed + 1))
elif ((status != 0 && failed == before)); then
  say "swift test ended with status $status although no test failed."
  failed=$((failed + 1))
fi

if (($# == 0)); then
  for suite in "${extra_suites[@]}"; do
    say "Running: $suite"
    if bash -c "$suite" 2>&1 | tee "$results/suite.log"; then
      passed=$((passed + 1))
    else
      say "Failed: $suite"
      failures_seen+=("$suite"$'\n'"$(tail -n 15 "$results/suite.log" | cut -c 1-400 | sed 's/^/    /')")
      failed=$((failed + 1))
    fi
  done
fi

finish
