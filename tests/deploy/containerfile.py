"""The Containerfile: its targets, and whether each starts a program of ours as it should."""

import json
import shlex
from pathlib import Path

from checking import BIN, DEPLOY, ROOT, check, must_pass
from programs import check_flags


class Target:
    def __init__(self):
        self.env, self.entrypoint, self.ports, self.user = {}, [], set(), None
        # What is copied from the stage `build`: sources and where they go.
        self.copies = []


def check_containerfile():
    """Returns the targets by name."""
    path = DEPLOY / "containers/Containerfile"
    # The base images are arguments; consecutive RUN lines keep layers that seldom change apart.
    must_pass("hadolint", BIN / "hadolint", "--failure-threshold", "warning", path)
    targets = read(path)
    for name, target in targets.items():
        if name != "build":
            check_target(path, name, target)
    check({"hub", "push", "functions", "spin"} <= set(targets), f"{path.name}: targets {set(targets)}")
    ignored = (ROOT / ".dockerignore").read_text()
    check("/target" in ignored and "/.bellwire" in ignored, ".dockerignore: build output or secrets are sent")
    return targets


def read(path):
    targets, target = {}, None
    text = path.read_text().replace("\\\n", " ")
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            target = targets.setdefault(rest.split(" AS ")[1], Target())
        elif word == "ENV":
            target.env.update(pair.split("=", 1) for pair in shlex.split(rest))
        elif word == "ENTRYPOINT":
            target.entrypoint = json.loads(rest)
        elif word == "EXPOSE":
            target.ports = {int(port) for port in rest.split()}
        elif word == "USER":
            target.user = rest
        elif word == "COPY" and rest.startswith("--from=build "):
            *sources, destination = rest.split()[1:]
            target.copies.append((sources, destination))
        elif word == "COPY":
            for source in rest.split()[:-1]:
                check((ROOT / source).exists(), f"{path.name}: no file: {source}")
    return targets


def check_target(path, name, target):
    check(target.user == "65532:65532", f"{path.name}: {name} does not run as 65532")
    ports = {int(value.rsplit(":", 1)[1]) for key, value in target.env.items() if "LISTEN" in key}
    check(ports == target.ports, f"{path.name}: {name} listens on {ports}, exposes {target.ports}")
    if name != "spin":
        program_name = Path(target.entrypoint[0]).name
        check_flags(program_name, target.entrypoint[1:], f"{path.name}: {name}")
