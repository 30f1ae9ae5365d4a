#!/usr/bin/env python3
"""Writers of all kinds and MCP clients beside a person who works with git in the same repository.

Many short-lived repositories, each a scene: writers (the command line, MCP over standard input and over HTTP, commit,
tick, rotation) that are killed, stopped and slowed down; people who commit, amend, stash, reset, switch, merge, rebase,
pack, edit records by hand. At the end of each, git's objects and reflogs tell what became of every entry that was
acknowledged: it is in HEAD, or a person removed it by name. `mixed_oracle.py` lists what counts as a violation.

    mixed.py                              for --seconds: the scenes in turn
    mixed.py --writes 5000 --jobs 2       until so many entries were acknowledged
    mixed.py --only resets --case 4711    one repository of one scene, as a violation names it; --times 20 tries it
                                          again and again
    mixed.py --calibrate                  plants every kind of violation by hand; each must be noticed. Without --only
                                          every run begins so

A seed chooses what is done, not how long each process takes: a race may need several tries.
"""

import multiprocessing
import os
import queue
import random
import sys
import time

import harness
import mixed_calibration
import mixed_crowds
import mixed_moments
import tracer
from mixed_stage import Bench

SCENES = {**mixed_moments.SCENES, **mixed_crowds.SCENES}


class Result:
    """What came of one repository."""

    def __init__(self, scene, case):
        self.scene, self.case = scene, case
        self.acknowledged = self.kills = self.stops = self.removed = self.moved_back = self.swept = 0
        self.people, self.refusals, self.commands, self.violations, self.skipped = {}, {}, {}, [], None
        self.kept, self.seconds = None, 0.0

    def take(self, stage):
        traffic = stage.traffic
        self.acknowledged += traffic.acknowledged()
        self.kills += traffic.kills
        self.stops += traffic.stops
        self.removed += stage.was_removed
        self.moved_back += stage.was_moved_back
        self.swept += stage.was_swept
        for mine, other in ((self.people, stage.ledger.counts), (self.refusals, traffic.refusals),
                            (self.commands, traffic.commands)):
            for name, count in other.items():
                mine[name] = mine.get(name, 0) + count


def attempt(bench, scene, case, options):
    """One repository of a scene, judged."""
    result, start = Result(scene, case), time.monotonic()
    stages = []
    try:
        outcome = SCENES[scene](bench, case, options, stages)
        if isinstance(outcome, str):
            result.skipped = outcome
        else:
            result.violations = outcome
    except Exception as error:  # A fault of the harness is a failure, not the end of the run.
        trace = error.__traceback__
        while trace.tb_next:
            trace = trace.tb_next
        place = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
        result.violations = [f"harness: {type(error).__name__} at {place}: {error}"]
    keeps = options.keep and bool(result.violations or any(stage.notes for stage in stages))
    for stage in stages:
        result.take(stage)
        try:
            stage.drop(keeps)
        except (RuntimeError, BrokenPipeError, OSError):
            bench.reconnect()
        if keeps:
            result.kept = stage.folder
            stage.tell(f"{stage.folder}.story", result.violations)
    result.seconds = time.monotonic() - start
    return result


def work_through(number, options, work, tasks, results):
    reason = harness.own_mounts()
    options.no_mounts = reason
    bench = Bench(work, f"j{number}")
    try:
        while True:
            task = tasks.get()
            if task is None:
                return
            results.put(None if options.ending.value == 1 else attempt(bench, *task, options))
    finally:
        bench.close()


class Report:
    """Counts over all repositories, and what is printed."""

    def __init__(self):
        self.results, self.kinds, self.skipped = [], {}, {}

    def add(self, result):
        if result.skipped:
            self.skipped[result.scene] = result.skipped
            return
        self.results.append(result)
        if not result.violations:
            return
        print(f"{result.scene} case {result.case}: {len(result.violations)} violations", flush=True)
        printed = {}
        for text in result.violations:
            kind = text.split(":", 1)[0]
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
            printed[kind] = printed.get(kind, 0) + 1
            if printed[kind] <= 3:
                print(f"  {text}")
        more = {kind: count - 3 for kind, count in printed.items() if count > 3}
        if more:
            print(f"  and {', '.join(f'{count} more {kind}' for kind, count in more.items())}")
        print(f"  again: python3 Tests/faults/mixed.py --only {result.scene} --case {result.case}", flush=True)
        if result.kept:
            print(f"  kept: {result.kept}", flush=True)

    def total(self, name):
        return sum(getattr(result, name) for result in self.results)

    def merged(self, name):
        found = {}
        for result in self.results:
            for key, count in getattr(result, name).items():
                found[key] = found.get(key, 0) + count
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def close(self, seconds):
        by_scene = {}
        for result in self.results:
            by_scene.setdefault(result.scene, []).append(result)
        for scene, results in by_scene.items():
            count = sum(len(result.violations) for result in results)
            acknowledged = sum(result.acknowledged for result in results)
            print(f"{scene}: {len(results)} repositories, {acknowledged} acknowledged in "
                  f"{sum(result.seconds for result in results):.0f} s, {count} violations")
        for scene, reason in self.skipped.items():
            print(f"{scene}: skipped: {reason}")
        people = self.merged("people")
        print(f"people: {', '.join(f'{name} {count}' for name, count in people.items())}")
        print(f"no success: {self.merged('refusals')}; beside the writers, by exit code: {self.merged('commands')}")
        if self.kinds:
            print(f"violations by kind: {dict(sorted(self.kinds.items(), key=lambda item: -item[1]))}")
        violations = sum(self.kinds.values())
        print(f"mixed: {len(self.results)} repositories of {len(by_scene)} scenes in {seconds:.0f} s, "
              f"{self.total('acknowledged')} acknowledged, {self.total('kills')} kills, {self.total('stops')} stops, "
              f"{sum(people.values())} person's actions, {self.total('removed')} removed by name, "
              f"{self.total('moved_back')} moved back over, {self.total('swept')} swept away, "
              f"{self.kinds.get('LOST', 0)} lost, {self.kinds.get('TWICE', 0)} twice, {violations} violations")
        return violations


def tasks_of(options, generator):
    """Without an end: every scene in turn, those of one moment twice, since they are short."""
    if options.case is not None:
        for _ in range(options.times):
            yield options.only[0], options.case
        return
    while True:
        for scene in options.only or [*mixed_moments.SCENES, *SCENES]:
            yield scene, generator.randrange(1 << 32)


def conduct(options, tasks, results, workers):
    """Hands out tasks until it is enough, and collects what comes of them. Returns the report, and the seconds."""
    report, start, source = Report(), time.monotonic(), tasks_of(options, random.Random(options.seed))
    open_tasks, acknowledged = 0, 0
    while not options.ending.value or open_tasks:
        while not options.ending.value and open_tasks < options.jobs + 1:
            task = next(source, None)
            if task is None:
                options.ending.value = 2
                break
            tasks.put(task)
            open_tasks += 1
        try:
            result = results.get(timeout=0.5)
        except queue.Empty:
            if not any(worker.is_alive() for worker in workers):
                break
            continue
        open_tasks -= 1
        if result is not None:
            report.add(result)
            acknowledged += result.acknowledged
        if not options.ending.value and options.case is None and (
                acknowledged >= options.writes if options.writes else time.monotonic() - start > options.seconds):
            # What waits is not begun any more.
            options.ending.value = 1
    for _ in workers:
        tasks.put(None)
    return report, time.monotonic() - start


def main():
    options = harness.parser(__doc__)
    options.add_argument("--seconds", type=float, default=120, help="how long (default: 120)")
    options.add_argument("--writes", type=int, default=None, help="until so many are acknowledged")
    options.add_argument("--only", action="append", choices=list(SCENES), help="this scene")
    options.add_argument("--case", type=int, default=None, help="the one repository of this number")
    options.add_argument("--times", type=int, default=1, help="how often that one (default: 1)")
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many repositories at once")
    options.add_argument("--calibrate", action="store_true", help="plant every kind of violation")
    options.add_argument("--size", type=int, default=24, help="acknowledged entries of a crowd (default: 24)")
    options = harness.parse(options)
    reason = tracer.supported()
    if reason:
        print(f"skipped: {reason}")
        return 0
    if options.case is not None and not options.only:
        sys.exit("--case needs --only")
    work = harness.Work(options)
    if options.calibrate or not options.only:
        # An oracle that notices nothing proves nothing.
        missed = mixed_calibration.run(work)
        if options.calibrate or missed:
            return missed
    options.ending = multiprocessing.Value("b", 0)
    options.jobs = min(options.jobs, options.times) if options.case is not None else options.jobs
    tasks, results = multiprocessing.Queue(), multiprocessing.Queue()
    # They end with this process, and with them the servers that they started.
    workers = [multiprocessing.Process(target=work_through, args=(number, options, work, tasks, results), daemon=True)
               for number in range(options.jobs)]
    for worker in workers:
        worker.start()
    try:
        report, seconds = conduct(options, tasks, results, workers)
    except BaseException:
        for worker in workers:
            worker.terminate()
        raise
    finally:
        for worker in workers:
            worker.join()
    violations = report.close(seconds)
    failed = [worker.exitcode for worker in workers if worker.exitcode]
    return 1 if violations or failed or not report.results else 0


if __name__ == "__main__":
    sys.exit(main())
