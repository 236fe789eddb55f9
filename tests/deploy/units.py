"""The systemd units, with the settings beside them."""

import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from checking import DEPLOY, check, done, run
from programs import check_flags, check_functions, check_settings

DIRECTORY = DEPLOY / "systemd"
# Exposure of the units by `systemd-analyze security`, times ten.
EXPOSURE_MAX = 15


def check_systemd(secrets):
    for unit in sorted(DIRECTORY.glob("*.service")):
        check_unit(unit)
    with tempfile.TemporaryDirectory() as temporary:
        for name in ["hub", "push"]:
            file = Path(temporary) / f"{name}.toml"
            file.write_text(secrets.placed((DIRECTORY / f"{name}.toml").read_text(), f"{name}.toml"))
            check_settings(f"bellwire-{name}", {}, secrets, f"systemd/{name}.toml", "--config", file)
    lines = [line for line in (DIRECTORY / "functions.env").read_text().splitlines() if line and line[0] != "#"]
    check_functions(dict(line.split("=", 1) for line in lines), "functions.env")


def check_unit(unit):
    text = unit.read_text()
    for command in re.findall(r"^ExecStart(?:Pre)?=(.+)$", text, re.M):
        path, *arguments = shlex.split(command)
        check_flags(Path(path).name, arguments, unit.name)
    if shutil.which("systemd-analyze") is None:
        print(f"warning: {unit.name} is not verified: systemd-analyze is missing", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as temporary:
        # Programs that need not be installed here.
        here = Path(temporary) / unit.name
        here.write_text(re.sub(r"=/usr/local/bin/[\w-]+", "=/bin/true", text))
        result = run("systemd-analyze", "verify", here)
        check(result.returncode == 0 and not result.stderr, f"{unit.name}: {result.stderr}")
        if "--offline" in run("systemd-analyze", "--help").stdout:
            result = run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", here)
            check(result.returncode == 0, f"{unit.name}: {result.stdout.strip().splitlines()[-1]}")
    done.append(unit.name)
