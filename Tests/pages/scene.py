"""A repository with records, its embedded database with trades, and a running `moha-sync serve`."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("MOHA_BUILD", TOP / ".build" / "debug")).resolve() / "moha-sync"

# Text that wants to be more than text, in every field that a decision has.
HOSTILE = (
    "<script>document.title='taken'</script><img src=/nowhere onerror=alert(1)> \u202egnp.exe\u2066 "
    "\"' onmouseover=alert(2) x=' </td></table></main> " + "W" * 400
)

TRADES = """
INSERT INTO maven_trades (decision_id, trade_source, asset, side, position_action, entry_price, exit_price, size_usd,
  leverage, realized_pnl_usd, fees_usd, status, opened_at, closed_at)
SELECT id, 'worker_bot', COALESCE(asset, 'BTC'), CASE id % 2 WHEN 0 THEN 'long' ELSE 'short' END, 'open', 100.5, 101.25,
  250, 2, CASE WHEN id % 9 = 0 THEN NULL ELSE ((id * 37) % 101 - 45) * 1.25 END, 0.4,
  CASE WHEN id % 9 = 0 THEN 'open' ELSE 'closed' END, decided_at, decided_at + make_interval(hours => (id * 7) % 90)
FROM maven_decisions WHERE id % 4 > 0;
INSERT INTO maven_portfolio_snaps (total_value_usd, available_balance_usd, unrealized_pnl_usd, position_count, snapshot_at)
SELECT 10000 + 12 * i + 400 * sin(i / 9.0), 8000, 20, i % 4, timestamptz '2026-01-01Z' + make_interval(hours => 6 * i)
FROM generate_series(1, 400) i;
INSERT INTO maven_performance (period_type, period_start, period_end, total_trades, winning_trades, net_pnl_usd)
VALUES ('day', '2026-02-01Z', '2026-02-02Z', 12, 7, 81.5);
"""


def decision(index):
    day, hour = 1 + index // 6, 4 * (index % 6)
    asset = ["BTC", "ETH", "SOL", "ADA", "DOT"][index % 5]
    action, reasoning = f"Buy {asset} at support {index}", "Momentum turned above support; funding is neutral."
    if index == 100:
        asset, action, reasoning = HOSTILE, HOSTILE, HOSTILE
    name = f"decision_202601{day:02}_{hour:02}00{index % 60:02}.md"
    return name, f"""# Decision Record

**Timestamp:** 2026-01-{day:02}T{hour:02}:00:{index % 60:02}+00:00
**Type:** {["buy", "sell", "hold"][index % 3]}
**Asset:** {asset}
**Risk Level:** {["low", "medium", "high", "critical"][index % 4]}
**Confidence:** {40 + (index * 13) % 60}.5%

## Action

{action}

## Reasoning

{reasoning}

## Metadata

```json
{{"index": {index}}}
```

---
*Recorded by Maven*
"""


class Scene:
    """Servers of its own, in folders of its own; `close` ends and removes all."""

    count = 130

    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="moha-pages-", dir="/var/tmp"))
        # The embedded database may run as another user, who must reach its folder.
        self.base.chmod(0o755)
        self.root = self.base / "tree"
        self.root.mkdir()
        self.server = None
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.base), "LC_ALL": "C.UTF-8",
            "MOHA_STATE_DIR": str(self.base / "state"), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada &lt;Lovelace", "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
        }

    def run(self, *command, check=True, input=None):
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=300, input=input)
        if check and done.returncode != 0:
            raise RuntimeError(f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    def moha(self, *arguments, check=True):
        return self.run(str(PROGRAM), *arguments, check=check)

    def build(self):
        folder = self.root / ".moha" / "maven"
        (folder / "decisions").mkdir(parents=True)
        (folder / "milestones").mkdir()
        self.names = []
        for index in range(self.count):
            name, text = decision(index)
            self.names.append(name)
            (folder / "decisions" / name).write_text(text)
        entries = "".join(
            f"## [2026-01-{1 + n // 3:02}T1{n % 3}:00:00+00:00] NOTE - Entry {n}\n\nWatched the spread, number {n}.\n\n---\n\n"
            for n in range(60))
        (folder / "session_log.md").write_text(
            f"# Maven Session Log\n\n---\n\n{entries}## [2026-01-25T10:00:00+00:00] NOTE\n\n{HOSTILE}\n\n---\n\n")
        (folder / "identity.json").write_text('{"name": "Maven", "total_decisions": %d}' % self.count)
        self.run("git", "init", "--quiet", "--initial-branch", "main", ".")
        self.run("git", "add", ".")
        self.run("git", "commit", "--quiet", "--message", "records")
        self.moha("sync")

        self.url = json.loads(self.moha("status", "--json").stdout)["database"]["url"]
        self.sql(TRADES)
        self.sql("UPDATE maven_decisions SET confidence = 12 WHERE id < 4; DELETE FROM maven_memory WHERE id < 3")
        (folder / "decisions" / "decision_20260131_000000.md").write_text("no record at all <b>\n")
        self.moha("reconcile", check=False)
        self.moha("reconcile", check=False)

    def sql(self, script):
        return self.run("psql", "--quiet", "--no-psqlrc", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1",
                        "--dbname", self.url, input=script).stdout.strip()

    def serve(self):
        log = self.base / "serve.log"
        with open(log, "wb") as errors:
            self.server = subprocess.Popen(
                [str(PROGRAM), "serve", "--port", "0"], cwd=self.root, env=self.environment, stderr=errors)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = re.search(r"pages for people on (http://127\.0\.0\.1:\d+)/", log.read_text())
            if found:
                return found.group(1)
            if self.server.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"the server did not start: {log.read_text()}")

    def close(self):
        if self.server:
            self.server.terminate()
            self.server.wait(timeout=60)
        if self.root.exists():
            self.moha("down", check=False)
        shutil.rmtree(self.base, ignore_errors=True)
