"""The secrets that deploy/compose/make-secrets writes, in place of the files that a setting names."""

import re
from pathlib import Path

from checking import DEPLOY, check, must_pass


class Secrets:
    """All of them, in a directory."""

    def __init__(self, directory):
        self.directory = Path(directory)
        must_pass("deploy/compose/make-secrets", DEPLOY / "compose/make-secrets", self.directory)
        self.names = {path.name for path in self.directory.iterdir()}

    def placed(self, value, where):
        """The value with paths of secrets replaced by those of real ones."""
        for path in re.findall(r"/(?:run/secrets|etc/bellwire)/[\w./-]+", value):
            name = path.rsplit("/", 1)[1]
            if check(name in self.names, f"{where}: {path} is a file that make-secrets does not write"):
                value = value.replace(path, str(self.directory / name))
        return value
