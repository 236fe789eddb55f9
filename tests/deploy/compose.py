"""The Compose file: its services, their settings and secrets, and the names that Caddy knows them by."""

import json
import re
from pathlib import Path

from checking import BIN, DEPLOY, ROOT, check, documents, done, must_pass
from programs import check_flags, check_functions, check_settings

PATH = DEPLOY / "compose/compose.yaml"
WHERE = PATH.name
# Seconds in which the programs end by themselves.
SHUTDOWN_DEADLINE_S = {"bellwire-hub": 10, "bellwire-push": 25}


def check_compose(targets, secrets):
    must_pass(WHERE, BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", PATH)
    [file] = documents(PATH)
    services = file["services"]
    for name, service in services.items():
        check_service(name, service, services)
        target = targets.get(service.get("build", {}).get("target"))
        if target is not None:
            check_own(name, service, target, secrets)
    check_secrets(file, secrets)
    check_proxy(file)
    done.append(f"{WHERE}: {len(services)} services")


def check_service(name, service, services):
    """What holds for every service, ours or not."""
    place = f"{WHERE}: {name}"
    check("healthcheck" in service, f"{place} has no health check")
    check(service.get("restart") == "unless-stopped", f"{place} is not restarted")
    for other, how in service.get("depends_on", {}).items():
        check(other in services, f"{place} depends on {other}")
        check(how["condition"] == "service_healthy", f"{place} does not wait for {other}")
    text = json.dumps({key: service.get(key) for key in ["command", "environment", "healthcheck"]})
    for path_name in re.findall(r"/run/secrets/([\w.-]+)", text):
        check(path_name in service.get("secrets", []), f"{place} reads /run/secrets/{path_name}, which is not mounted")


def check_own(name, service, target, secrets):
    """A service that runs one of our images."""
    place = f"{WHERE}: {name}"
    check(service["read_only"] and service["cap_drop"] == ["ALL"], f"{place} is not confined")
    check((PATH.parent / service["build"]["context"]).resolve() == ROOT, f"{place}: context")
    settings = {**target.env, **{key: default(value) for key, value in service.get("environment", {}).items()}}
    url = service["healthcheck"]["test"][3]
    check(int(re.search(r":(\d+)/", url)[1]) in target.ports, f"{place}: the health check asks {url}")
    program_name = Path(target.entrypoint[0]).name
    if program_name == "bellwire-host":
        check_flags(program_name, service["command"], place)
        for argument in service["command"]:
            key, value = argument.removeprefix("--variable=").split("=", 1)
            check(value.startswith("@/run/secrets/"), f"{place}: {key} is not read from a file")
            settings["SPIN_VARIABLE_" + key.upper()] = value
        check_functions(settings, place)
    else:
        config = settings.pop(f"BELLWIRE_{'HUB' if 'hub' in name else 'PUSH'}_CONFIG")
        check_settings(program_name, settings, secrets, place, "--config", secrets.placed(config, place))
        grace = seconds(service["stop_grace_period"])
        check(grace > SHUTDOWN_DEADLINE_S[program_name], f"{place} is killed before it has ended")


def default(value):
    """The value without the variables of whoever starts Compose."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


def check_secrets(file, secrets):
    for name, secret in file["secrets"].items():
        source = Path(secret["file"])
        check(source.name in secrets.names, f"{WHERE}: make-secrets does not write {source}")
        check(source.name == name, f"{WHERE}: the secret {name} is {source}")
    used = {name for service in file["services"].values() for name in service.get("secrets", [])}
    check(used == set(file["secrets"]), f"{WHERE}: secrets that nobody uses: {set(file['secrets']) - used}")


def check_proxy(file):
    # Caddy finds the others by the names of its file.
    services = file["services"]
    aliases = {alias for service in services.values() if isinstance(service.get("networks"), dict)
               for network in service["networks"].values() for alias in (network or {}).get("aliases", [])}
    caddyfile = (DEPLOY / "proxies/Caddyfile").read_text()
    hosts = set(re.findall(r"([\w.-]+\.internal):\d+", caddyfile))
    check(hosts == aliases, f"{WHERE}: the Caddyfile's hosts are {hosts}, the aliases {aliases}")
    subnet = file["networks"]["front"]["ipam"]["config"][0]["subnet"]
    trusted = services["hub-1"]["environment"]["BELLWIRE_HUB_TRUSTED_PROXIES"]
    check(trusted == subnet, f"{WHERE}: hubs trust {trusted}, the network is {subnet}")
