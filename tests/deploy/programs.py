"""Bellwire's programs, asked whether they accept settings and flags, and the variables of the functions."""

import os
import re
import sys

from checking import ROOT, check, done, run

PROGRAMS = ROOT / "target/release"
# Variables of the processes' libraries.
OTHERS = {"SSL_CERT_FILE", "SSL_CERT_DIR"}
# Of the host itself.
OF_HOST = {"SPIN_HTTP_LISTEN_ADDR", "BELLWIRE_HOST_CACHE_DIR", "RUNTIME_CONFIG_FILE"}


def program(name):
    path = PROGRAMS / name
    if not path.is_file():
        sys.exit(f"error: {path} is missing: run `scripts/build host hub push` first")
    return path


def flags(name):
    return set(re.findall(r"--[a-z][a-z0-9-]*", run(program(name), "--help").stdout))


def check_settings(name, settings, secrets, where, *arguments):
    """Whether the program accepts these variables, and knows each."""
    env = {"PATH": os.environ["PATH"]}
    env.update({key: secrets.placed(str(value), f"{where}: {key}") for key, value in settings.items()})
    result = run(program(name), "check-config", *arguments, env=env)
    output = (result.stdout + result.stderr).strip()
    check(result.returncode == 0, f"{where}: {name} check-config: {output}")
    check("no setting has this name" not in result.stderr, f"{where}: {name}: {result.stderr.strip()}")
    # What is not named by the program's prefix would not be noticed.
    known = set(re.findall(r"\[env: (\w+)[=\]]", run(program(name), "--help").stdout)) | OTHERS
    for key in settings:
        check(key in known, f"{where}: {name} has no variable {key}")
    done.append(f"{where}: {len(settings)} variables of {name}")


def variables_of_functions():
    section = (ROOT / "spin.toml").read_text().split("[variables]")[1].split("[[trigger")[0]
    return set(re.findall(r"^([a-z_0-9]+) = \{", section, re.M))


def check_functions(variables, where):
    known = variables_of_functions()
    own = OF_HOST | OTHERS
    given = {}
    for key, value in variables.items():
        name = key.removeprefix("SPIN_VARIABLE_").lower() if key.startswith("SPIN_VARIABLE_") else None
        check(name in known or key in own, f"{where}: the functions have no variable {key}")
        if name:
            given[name] = value
    for name in ["redis_url", "redis_host", "record", "postgres_url", "postgres_host", "auth_hs256_key"]:
        check(given.get(name), f"{where}: {name} is not set")
    check(given.get("record") == "postgres", f"{where}: record is not postgres")
    done.append(f"{where}: {len(variables)} variables of the functions")


def check_flags(name, arguments, where):
    known = flags(name)
    for argument in arguments:
        flag = argument.split("=")[0]
        if flag.startswith("--"):
            check(flag in known, f"{where}: {name} has no {flag}")
