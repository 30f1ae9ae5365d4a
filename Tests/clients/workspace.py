"""A temporary repository with the records of the sample tree, and its own embedded Postgres."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from programs import BUILD, PATIENCE, TOP, CheckFailed, Command, base_environment, check


class Workspace:
    """A context manager. `folder` is the repository; the servers' state lies beside it and goes with it."""

    def __init__(self, database=True):
        # Short, since a Unix socket's path has to fit into 107 bytes.
        self.base = Path(tempfile.mkdtemp(prefix="mc-", dir="/tmp"))
        # The account that Postgres runs under has to pass through.
        self.base.chmod(0o755)
        self.folder = self.base / "tree"
        self.tree = self.folder / ".moha" / "maven"
        self.environment = base_environment() | {
            "HOME": str(self.base),
            "MOHA_STATE_DIR": str(self.base / "state"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Maven", "GIT_AUTHOR_EMAIL": "maven@example.invalid",
            "GIT_COMMITTER_NAME": "Maven", "GIT_COMMITTER_EMAIL": "maven@example.invalid",
        }
        self.program = str(BUILD / "moha-sync")
        self.url = None
        try:
            self.folder.mkdir()
            shutil.copytree(TOP / ".moha", self.folder / ".moha")
            self.git("init", "--quiet", "--initial-branch=main")
            self.git("add", ".moha")
            self.git("commit", "--quiet", "--message=The sample tree")
            if database:
                self.up()
        except BaseException:
            self.close()
            raise

    @classmethod
    def attached(cls, described):
        """The workspace that another process made and described, and will close."""
        workspace = cls.__new__(cls)
        for name, value in described.items():
            setattr(workspace, name, Path(value) if name in ("folder", "tree") else value)
        return workspace

    def described(self):
        return {"folder": str(self.folder), "tree": str(self.tree), "environment": self.environment,
                "program": self.program, "url": self.url}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if (self.base / "state").exists():
            self.moha("down", "--quiet", status=None)
        shutil.rmtree(self.base, ignore_errors=True)

    def up(self):
        self.moha("up", "--quiet")
        self.moha("sync", "--quiet")
        self.url = json.loads(self.moha("status", "--json"))["database"]["url"]

    def command(self, *arguments):
        """The program, with its repository."""
        return Command([self.program, "--root", str(self.folder), *arguments], self.environment, str(self.folder))

    def run(self, arguments, status=0, text=None):
        result = subprocess.run(
            arguments, cwd=self.folder, env=self.environment, input=text, capture_output=True, timeout=PATIENCE * 4,
            text=True, stdin=subprocess.DEVNULL if text is None else None)
        if status is not None and result.returncode != status:
            raise CheckFailed(
                f"{' '.join(arguments)}: status {result.returncode} instead of {status}: {result.stderr[-1500:]}")
        return result.stdout

    def moha(self, *arguments, status=0):
        return self.run([self.program, *arguments, "--root", str(self.folder)], status)

    def git(self, *arguments, status=0):
        return self.run(["git", *arguments], status)

    def query(self, sql, **variables):
        """The rows of a statement, each a list of texts. Variables are quoted by psql as `:'name'`."""
        check(self.url is not None, "the workspace has no database")
        settings = [f"--set={name}={value}" for name, value in variables.items()]
        output = self.run(["psql", "-XAt", "-F", "\x1f", "-R", "\x1e", *settings, self.url], text=sql)
        return [row.split("\x1f") for row in output.rstrip("\n").split("\x1e")] if output.rstrip("\n") else []

    def decision_files(self, revision="HEAD"):
        """The names of the decision files of a commit."""
        lines = self.git("ls-tree", "-r", "-z", "--name-only", revision, ".moha/maven/decisions").split("\0")
        return sorted(os.path.basename(line) for line in lines if line.endswith(".md"))

    def show(self, path, revision="HEAD"):
        return self.git("show", f"{revision}:{path}")

    def head(self):
        return self.git("rev-parse", "HEAD").strip()

    def identity(self, revision="HEAD"):
        return json.loads(self.show(".moha/maven/identity.json", revision))
