"""What all checks use: the paths, the list of mistakes, YAML, and other programs."""

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
# Programs of the virtual environment, such as hadolint.
BIN = Path(sys.executable).parent

mistakes = []
# What was checked, a line each.
done = []


def check(condition, text):
    if not condition:
        mistakes.append(text)
    return condition


class Loader(yaml.SafeLoader):
    """YAML in which no key stands twice: the second one would silently win."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = {key for key in keys if keys.count(key) > 1}
        check(not twice, f"{node.start_mark.name}:{node.start_mark.line + 1}: twice: {twice}")
        return super().construct_mapping(node, deep)


def documents(path):
    with path.open() as file:
        return [document for document in yaml.load_all(file, Loader) if document]


def run(*command, env=None, cwd=ROOT):
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=120, env=env, cwd=cwd
    )


def must_pass(what, *command, **options):
    result = run(*command, **options)
    return check(result.returncode == 0, f"{what}:\n{(result.stdout + result.stderr).strip()}")
