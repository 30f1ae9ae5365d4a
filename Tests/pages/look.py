"""Every page in a browser: narrow and wide, light and dark, with and without JavaScript, with and without a database.

Prints a line for each check that failed, and a summary. Exit status 0 when all held.
"""

import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import axe_playwright_python
from playwright.sync_api import sync_playwright

from scene import HOSTILE, TOP, Scene

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
SHOTS = TOP / ".build" / "pages" / "shots"
WIDTHS = (390, 1440)
SCHEMES = ("light", "dark")


class Checks:
    def __init__(self):
        self.held = 0
        self.failed = []

    def that(self, condition, what):
        if condition:
            self.held += 1
        else:
            self.failed.append(what)
            print(f"FAILED: {what}", flush=True)


class Visit:
    """A page in a context of its own that notes what it asks for and complains about."""

    def __init__(self, browser, width, scheme, script=True):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script,
            reduced_motion="reduce")
        self.page = self.context.new_page()
        self.requests, self.complaints = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def open(self, url, status=200):
        self.requests.clear()
        self.complaints.clear()
        answer = self.page.goto(url)
        return answer is None or answer.status == status


def look(checks, visit, url, what, status=200, shot=None):
    """What holds for every page."""
    page = visit.page
    checks.that(visit.open(url, status), f"{what}: the status is not {status}")
    # A document whose status is an error is one that the browser itself complains about.
    complaints = [text for text in visit.complaints if "status of" not in text]
    checks.that(not complaints, f"{what}: {complaints}")
    own = urlsplit(url)
    others = [seen for seen in visit.requests if urlsplit(seen)[:3] != own[:3] and not seen.startswith("data:")]
    checks.that(not others, f"{what}: asked for {others}")
    checks.that(page.title().endswith("moha-sync"), f"{what}: the title is {page.title()!r}")
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    checks.that(width[0] <= width[1], f"{what}: scrolls sideways, {width[0]} of {width[1]}")
    page.evaluate(AXE)
    found = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})")
    for violation in found["violations"]:
        nodes = [f"{node['target']} {node['failureSummary']}" for node in violation["nodes"][:3]]
        checks.that(False, f"{what}: {violation['id']}: {violation['help']}: {nodes}")
    checks.that(len(found["passes"]) > 10, f"{what}: the accessibility rules did not run")
    if shot:
        page.screenshot(path=SHOTS / f"{shot}.png", full_page=True)


def details_and_focus(checks, visit, base):
    """By keyboard: the first stop skips to the content, and data tables open."""
    page = visit.page
    visit.open(base + "/")
    page.keyboard.press("Tab")
    checks.that(page.evaluate("document.activeElement.className") == "skip", "the first stop is not the skip link")
    checks.that(page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0, "the skip link stays hidden")
    page.keyboard.press("Enter")
    checks.that(page.evaluate("document.activeElement.id") == "content", "the skip link leads nowhere")
    charts = page.locator("svg[role=img]")
    checks.that(charts.count() == 5, f"{charts.count()} charts")
    for index in range(charts.count()):
        box = charts.nth(index).bounding_box()
        drawn = charts.nth(index).locator("path:not(.rule):not(.zero), rect").count()
        checks.that(box["width"] > 200 and box["height"] > 100 and drawn > 0, f"chart {index} is empty: {box} {drawn}")
    summary = page.locator("figure summary").first
    summary.focus()
    page.keyboard.press("Enter")
    checks.that(page.locator("figure details[open] table tbody tr").count() > 10, "a chart's data does not open")


def walk(checks, visit, base, scene):
    """Through all pages of the list by its links: each decision once."""
    page = visit.page
    visit.open(base + "/decisions")
    seen = []
    for _ in range(10):
        seen += [link.get_attribute("href") for link in page.locator("tbody a").all()]
        older = page.locator("a[rel=next]")
        if older.count() == 0:
            break
        older.click()
    expected = int(scene.sql("SELECT count(*) FROM maven_decisions"))
    checks.that(len(seen) == expected == scene.count, f"the walk saw {len(seen)} of {expected}")
    checks.that(len(set(seen)) == len(seen), "the walk saw a decision twice")
    page.locator("a[rel=first]").click()
    checks.that(urlsplit(page.url).path == "/decisions" and "after" not in page.url, "the way back to the newest")


def forms(checks, visit, base, scene):
    """Filters and searches as plain forms."""
    page = visit.page
    visit.open(base + "/decisions")
    page.fill("#asset", "ETH")
    page.select_option("#risk", "high")
    page.fill("#min", "60")
    page.fill("#q", "support -resistance")
    page.click("button[type=submit]")
    expected = int(scene.sql(
        "SELECT count(*) FROM maven_decisions WHERE asset = 'ETH' AND risk_level = 'high' AND confidence >= 60"))
    rows = page.locator("tbody tr").count()
    checks.that(rows == expected > 0, f"the filter shows {rows} of {expected}")
    checks.that(parse_qs(urlsplit(page.url).query)["risk"] == ["high"], "the filter is not in the address")
    checks.that(page.input_value("#asset") == "ETH" and page.input_value("#risk") == "high", "the form forgets")
    page.fill("#asset", "NO' OR true --")
    page.click("button[type=submit]")
    checks.that("No decision matches" in page.inner_text("main"), "an empty result is not said")
    page.goto(base + "/decisions?asset=ETH")
    page.locator("tbody a").first.click()
    page.wait_for_url("**/decisions/decision_*")
    text = page.inner_text("main")
    checks.that("Provenance" in text and "Ada &lt;Lovelace" in text and "Reasoning" in text, "a decision's page")
    commit = scene.run("git", "rev-list", "--max-parents=0", "HEAD").stdout.strip()
    checks.that(commit in text, f"a decision's commit is not {commit}: {text}")
    visit.open(base + "/log")
    checks.that(page.locator("tbody tr").count() == 50, "the newest entries")
    page.fill("#q", "spread")
    page.click("button[type=submit]")
    found = page.locator("tbody tr").count()
    page.locator("a[rel=next]").click()
    found += page.locator("tbody tr").count()
    checks.that(found == 60, f"the search found {found} entries of 60")
    visit.open(base + "/runs")
    page.locator("tbody a").nth(1).click()
    checks.that("stale" in page.inner_text("main"), "a run's differences")
    visit.open(base + "/decisions?min=much", status=400)
    checks.that("A confidence is a number" in page.inner_text("main"), "a bad filter is not named")


def hostile(checks, visit, base, scene):
    """A decision that is nothing but an attack is shown as its text."""
    page = visit.page
    for path in (f"/decisions/{scene.names[100]}", "/decisions?q=gnp.exe", "/log?in=all&q=gnp.exe", "/?days=36500"):
        visit.open(base + path)
        checks.that("taken" != page.title() and not [c for c in visit.complaints if "dialog" in c], f"{path}: ran")
        checks.that(page.locator("script, img, [onerror], [onmouseover]").count() == 0, f"{path}: markup got in")
        checks.that("\u202e" not in page.content(), f"{path}: text is turned around")
    visit.open(base + f"/decisions/{scene.names[100]}")
    text = page.inner_text("main")
    checks.that(HOSTILE.split("\u202e")[0] in text and "<U+202E>gnp.exe" in text, "the text is not shown whole")


def speed(checks, browser, base):
    """How long pages take from the request to the last byte, in milliseconds."""
    with Visit(browser, 1440, "light") as visit:
        figures = []
        for path in ("/", "/decisions", "/log?q=spread", "/runs"):
            times = []
            for _ in range(5):
                start = time.monotonic()
                visit.context.request.get(base + path)
                times.append((time.monotonic() - start) * 1_000)
            figures.append(f"{path} {sorted(times)[2]:.0f} ms")
        print("median of five: " + ", ".join(figures))


def without_database(checks, browser, base, scene):
    """The pages say what is wrong, show what git has, and recover."""
    scene.moha("down")
    head = scene.run("git", "rev-parse", "HEAD").stdout.strip()
    for width, scheme in ((390, "dark"), (1440, "light")):
        with Visit(browser, width, scheme) as visit:
            for name, path in (("overview", "/"), ("decisions", "/decisions"), ("log", "/log"), ("runs", "/runs"),
                               ("decision", f"/decisions/{scene.names[7]}"), ("found", "/log?q=spread")):
                look(checks, visit, base + path, f"{path} without database at {width} {scheme}",
                     shot=f"down-{name}-{width}-{scheme}")
                text = visit.page.inner_text("main")
                checks.that("moha-sync up" in text or "not running" in text, f"{path} does not say what to do")
            visit.open(base + "/")
            checks.that(head[:10] in visit.page.inner_text("main"), "git's state does not show")
            visit.open(base + "/decisions")
            checks.that(visit.page.locator("main li a").count() == 50, "the files do not show")
            visit.open(base + f"/decisions/{scene.names[7]}")
            checks.that("**Confidence:**" in visit.page.inner_text("pre"), "the file's text does not show")
    scene.moha("up")
    with Visit(browser, 1440, "light") as visit:
        visit.open(base + "/")
        checks.that(visit.page.locator("svg[role=img]").count() == 5, "the pages do not come back with the database")


def main():
    SHOTS.mkdir(parents=True, exist_ok=True)
    checks, scene = Checks(), Scene()
    try:
        scene.build()
        base = scene.serve()
        report = scene.base / "report.html"
        scene.moha("report", "--html", str(report))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            run = scene.sql("SELECT run_id FROM maven_reconcile_runs ORDER BY finished_at OFFSET 1 LIMIT 1")
            pages = [
                ("overview", "/", 200), ("overview-30", "/?days=30", 200), ("decisions", "/decisions", 200),
                ("filtered", "/decisions?asset=ETH&risk=high&min=60", 200), ("none", "/decisions?asset=NONE", 200),
                ("refused", "/decisions?since=yesterday", 400), ("decision", f"/decisions/{scene.names[7]}", 200),
                ("hostile", f"/decisions/{scene.names[100]}", 200), ("hostile-list", "/decisions?q=gnp.exe", 200),
                ("missing", "/decisions/%3Cscript%3E", 404), ("log", "/log", 200), ("found", "/log?q=spread&in=all", 200),
                ("hostile-log", "/log?q=gnp.exe&in=all", 200), ("runs", "/runs", 200), ("run", f"/runs/{run}", 200),
                ("no-run", "/runs/x", 404),
            ]
            for width in WIDTHS:
                for scheme in SCHEMES:
                    with Visit(browser, width, scheme) as visit:
                        for name, path, status in pages:
                            look(checks, visit, base + path, f"{path} at {width} {scheme}", status,
                                 f"{name}-{width}-{scheme}")
                        look(checks, visit, report.as_uri(), f"the report at {width} {scheme}",
                             shot=f"report-{width}-{scheme}")
            for script in (True, False):
                with Visit(browser, 390, "light", script) as visit:
                    walk(checks, visit, base, scene)
                    forms(checks, visit, base, scene)
            with Visit(browser, 1440, "light") as visit:
                details_and_focus(checks, visit, base)
                hostile(checks, visit, base, scene)
            speed(checks, browser, base)
            without_database(checks, browser, base, scene)
            browser.close()
    finally:
        scene.close()
    print(f"{checks.held} checks held, {len(checks.failed)} failed; pictures in {SHOTS}")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
