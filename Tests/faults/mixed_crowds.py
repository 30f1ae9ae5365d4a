"""The scenes in which all work at once: several writers, one or two people, and what breaks them."""

import os
import shutil
import subprocess
import time

from full_disk import Disk
from harness import patience
from mixed_person import AMENDS, BACK, BRANCHES, HANDS, OWN, STATE
from mixed_stage import Stage
from mixed_writers import Breaker, Client, Keeper, Redis, Writer, server_strokes

COMMIT, TICK, ROTATE, RECONCILE = ["commit"], ["tick"], ["log", "rotate"], ["reconcile"]


class Crowd:
    """What a scene is made of: what people do, how writers are treated, what runs beside them."""

    def __init__(self, repertoire, ways=("plain",), writers=3, clients=(), commands=(COMMIT, TICK, ROTATE),
                 settings=("flat", "dated"), keys=0.3, pause=0.05, counts_rebirths=False, size=1.0):
        self.repertoire, self.ways, self.writers, self.clients = repertoire, list(ways), writers, clients
        self.commands, self.settings, self.keys, self.pause = list(commands), settings, keys, pause
        self.counts_rebirths, self.size = counts_rebirths, size

    def __call__(self, bench, case, options, stages):
        generator = Stage.generator(case)
        stage = self.stage(bench, generator)
        stages.append(stage)
        self.play(stage, generator, options)
        return stage.finish()

    def stage(self, bench, generator, **keywords):
        stage = Stage(bench, generator.choice(self.settings), **keywords)
        stage.counts_rebirths = self.counts_rebirths
        return stage

    def folders(self, stage):
        """Where writers write and a person works: folder, branch, the person's name."""
        return [(stage.folder, "main", "person")]

    def play(self, stage, generator, options, strokes=(), forgives_no_room=False):
        """All at once, until enough was acknowledged."""
        def split():
            return Stage.generator(generator.random())

        folders = self.folders(stage)
        stage.watch()
        wanted, limit = options.size * self.size, time.monotonic() + patience(60)

        def enough():
            # What is broken for good breaks everything after it.
            return (stage.traffic.acknowledged() >= wanted or time.monotonic() > limit
                    or len(stage.traffic.violations) + len(stage.ledger.violations) > 40)

        people = [stage.person(split(), self.repertoire, folder, home, label, pause=self.pause)
                  for folder, home, label in folders]
        for person in people:
            person.forgives_no_room = forgives_no_room
        stage.traffic.forgives_errors = forgives_no_room
        writers = [Writer(stage.traffic, folders[number % len(folders)][0], split(), enough, self.ways, keys=self.keys)
                   for number in range(self.writers)]
        writers += [Client(transport, stage.traffic, stage.folder, split(), enough, self.ways, keys=self.keys)
                    for transport in self.clients]
        keepers = [Keeper(stage.traffic, folder, split(), self.commands if folder == stage.folder else [COMMIT, ROTATE])
                   for folder, _, _ in folders if self.commands]
        breaker = Breaker(split(), list(strokes))
        for thread in [*people, *writers, *keepers, *([breaker] if strokes else [])]:
            thread.start()
        for writer in writers:
            writer.join(patience(240))
            if writer.is_alive():
                stage.traffic.violation("HANG: a writer does not come to its end")
        for thread in [breaker, *keepers, *people]:
            thread.finish()
        # All that was broken is whole again.
        stage.traffic.forgives_errors = False
        for person in people:
            person.forgives_no_room = False


class Hooked(Crowd):
    """People's commits run `moha-sync commit` in a hook."""

    def folders(self, stage):
        stage.hook()
        return super().folders(stage)


class Linked(Crowd):
    """A second working tree, with a person and writers of its own."""

    def folders(self, stage):
        return super().folders(stage) + [(stage.linked("second"), "second", "colleague")]


class Served(Crowd):
    """Postgres and Redis are killed and stopped; records go on."""

    def __call__(self, bench, case, options, stages):
        generator = Stage.generator(case)
        redis = Redis(bench.work, f"{bench.name}-redis-{bench.count}")
        try:
            stage = self.stage(bench, generator, redis=redis.url)
            stages.append(stage)
            self.play(stage, generator, options, [*server_strokes(bench.server), *redis.strokes()])
            bench.reconnect()
            return stage.finish()
        finally:
            redis.kill()


class Shelf(Disk):
    """A small disk with room for one repository."""

    def __init__(self, bench):
        self.path = f"{bench.folder}/shelf{bench.count}"
        os.mkdir(self.path)

    def mount(self):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m,nr_inodes=60000", "tmpfs", self.path],
                              capture_output=True, text=True)
        return done.stderr.strip() or f"mount: status {done.returncode}" if done.returncode else None

    def stroke(self, generator):
        """Room for a few pages only, until it is taken back."""
        def fill():
            try:
                self.fill(pages=generator.randrange(0, 30))
            except OSError:
                pass  # Somebody else took the last page.
        return fill, self.free


class Full(Crowd):
    """The disk is full for moments."""

    def __call__(self, bench, case, options, stages):
        if options.no_mounts:
            return options.no_mounts
        generator = Stage.generator(case)
        shelf = Shelf(bench)
        try:
            reason = shelf.mount()
            if reason:
                return reason
            stage = self.stage(bench, generator, base=shelf.path)
            stages.append(stage)
            self.play(stage, generator, options, [shelf.stroke(generator)], forgives_no_room=True)
            return stage.finish()
        finally:
            for stage in stages:
                stage.traffic.objects.close()
                if options.keep:
                    # The disk goes; what was on it is looked at beside it.
                    stage.folder = shutil.copytree(stage.folder, f"{bench.folder}/{stage.name}", symlinks=True)
            shelf.unmount()
            os.rmdir(shelf.path)


# Working trees share one stack of what is stashed.
APART = [name for name in BACK if "stash" not in name and name != "pop"]

SCENES = {
    "crowd": Crowd(OWN + AMENDS + BACK + BRANCHES + STATE + HANDS, ["plain", "plain", "killed", "stopped"], writers=3,
                   clients=["stdio"]),
    "resets": Crowd(OWN + AMENDS + BACK + BACK, ["plain", "slow", "slow_and_killed"], counts_rebirths=True),
    "branches": Crowd(OWN + BRANCHES + BRANCHES + ["stash", "pop", "reset_hard"], ["plain", "plain", "stopped"]),
    "states": Crowd(OWN + AMENDS + STATE + STATE + ["reset_hard", "stash_and_pop"], ["plain", "plain", "killed"],
                    counts_rebirths=True),
    "hands": Crowd(OWN + HANDS + HANDS + ["reset_hard", "checkout_files", "amend"], ["plain", "plain", "stopped"]),
    "linked": Linked(OWN + AMENDS + APART + ["gc", "repack", "pack_refs", "merge"], ["plain", "killed"], writers=4),
    "periodic": Crowd(OWN + AMENDS + BACK + BRANCHES, ["plain", "plain", "killed"], settings=["periodic"],
                      commands=[COMMIT, COMMIT, TICK]),
    "clients": Crowd(OWN + AMENDS + BACK, ["plain", "plain", "killed", "stopped"], writers=1,
                     clients=["stdio", "http"]),
    "kills": Crowd(OWN + AMENDS + ["reset_hard", "stash", "pop", "gc"],
                   ["struck", "struck", "killed", "twice", "stopped"], keys=0.8, counts_rebirths=True, size=0.7),
    "services": Served(OWN + AMENDS + ["reset_hard", "stash", "pop"], ["plain", "plain", "killed"], clients=["stdio"],
                       writers=2, commands=[COMMIT, TICK], size=0.7),
    "full": Full(OWN + ["stash", "pop", "reset_hard", "checkout_files", "amend_own", "gc"], ["plain", "killed"],
                 size=0.7),
    "hooked": Hooked(OWN + AMENDS + BACK, ["plain", "stopped"], size=0.7),
}
