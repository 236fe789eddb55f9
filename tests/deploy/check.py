"""Checks the files in deploy/. Prints every mistake; exit code 1 if there is one.

Schemas and linters find what is misspelt: kubernetes-validate, SpinKube's own schemas, the Compose
specification, hadolint, systemd-analyze. The rest compares the files with each other and with the programs:
every setting is given to `check-config` of the program that gets it, every flag must be in its `--help`, and
every SPIN_VARIABLE_ a variable of spin.toml.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

import images

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
PROGRAMS = ROOT / "target/release"
# `preStop: sleep` came with 1.30; the newest that kubernetes-validate has.
KUBERNETES = ["1.30", "1.37"]
# Exposure of the units by `systemd-analyze security`, times ten.
EXPOSURE_MAX = 15
# Variables of the processes' libraries.
OTHERS = {"SSL_CERT_FILE", "SSL_CERT_DIR"}

mistakes = []
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


# --- the programs --------------------------------------------------------------------------------


class Secrets:
    """Secrets as deploy/compose/make-secrets writes them, in place of the files that a setting names."""

    def __init__(self, directory):
        self.directory = Path(directory)
        must_pass("deploy/compose/make-secrets", DEPLOY / "compose/make-secrets", self.directory)
        self.names = {path.name for path in self.directory.iterdir()}

    def text(self, name):
        return (self.directory / name).read_text()

    def placed(self, value, where):
        """The value with paths of secrets replaced by those of real ones."""
        for path in re.findall(r"/(?:run/secrets|etc/bellwire)/[\w./-]+", value):
            name = path.rsplit("/", 1)[1]
            if check(name in self.names, f"{where}: {path} is a file that make-secrets does not write"):
                value = value.replace(path, str(self.directory / name))
        return value


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
    own = {"SPIN_HTTP_LISTEN_ADDR", "BELLWIRE_HOST_CACHE_DIR", "RUNTIME_CONFIG_FILE"} | OTHERS
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


# --- images --------------------------------------------------------------------------------------


class Target:
    def __init__(self):
        self.env, self.entrypoint, self.ports, self.user = {}, [], set(), None
        # What is copied from the stage `build`: sources and where they go.
        self.copies = []


def containerfile():
    """The targets of the Containerfile."""
    path = DEPLOY / "containers/Containerfile"
    # The base images are arguments; consecutive RUN lines keep layers that seldom change apart.
    must_pass("hadolint", BIN / "hadolint", "--failure-threshold", "warning", path)
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
    for name, target in targets.items():
        if name == "build":
            continue
        check(target.user == "65532:65532", f"{path.name}: {name} does not run as 65532")
        ports = {int(value.rsplit(":", 1)[1]) for key, value in target.env.items() if "LISTEN" in key}
        check(ports == target.ports, f"{path.name}: {name} listens on {ports}, exposes {target.ports}")
        if name != "spin":
            program_name = Path(target.entrypoint[0]).name
            check_flags(program_name, target.entrypoint[1:], f"{path.name}: {name}")
    check({"hub", "push", "functions", "spin"} <= set(targets), f"{path.name}: targets {set(targets)}")
    ignored = (ROOT / ".dockerignore").read_text()
    check("/target" in ignored and "/.bellwire" in ignored, ".dockerignore: build output or secrets are sent")
    return targets


# --- Compose -------------------------------------------------------------------------------------


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


def compose(targets, secrets):
    path = DEPLOY / "compose/compose.yaml"
    must_pass("compose.yaml", BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path)
    [file] = documents(path)
    services, where = file["services"], "compose.yaml"
    for name, secret in file["secrets"].items():
        source = Path(secret["file"])
        check(source.name in secrets.names, f"{where}: make-secrets does not write {source}")
        check(source.name == name, f"{where}: the secret {name} is {source}")
    used = set()
    for name, service in services.items():
        place = f"{where}: {name}"
        check("healthcheck" in service, f"{place} has no health check")
        check(service.get("restart") == "unless-stopped", f"{place} is not restarted")
        for other, how in service.get("depends_on", {}).items():
            check(other in services, f"{place} depends on {other}")
            check(how["condition"] == "service_healthy", f"{place} does not wait for {other}")
        mounted = set(service.get("secrets", []))
        used |= mounted
        text = json.dumps({key: service.get(key) for key in ["command", "environment", "healthcheck"]})
        for path_name in re.findall(r"/run/secrets/([\w.-]+)", text):
            check(path_name in mounted, f"{place} reads /run/secrets/{path_name}, which is not mounted")
        settings = {key: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value)) for key, value in service.get("environment", {}).items()}
        target = targets.get(service.get("build", {}).get("target"))
        if target is None:
            continue
        check(service["read_only"] and service["cap_drop"] == ["ALL"], f"{place} is not confined")
        check((path.parent / service["build"]["context"]).resolve() == ROOT, f"{place}: context")
        settings = {**target.env, **settings}
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
            arguments = []
            config = settings.pop(f"BELLWIRE_{'HUB' if 'hub' in name else 'PUSH'}_CONFIG")
            arguments += ["--config", secrets.placed(config, place)]
            check_settings(program_name, settings, secrets, place, *arguments)
            default = {"bellwire-hub": 10, "bellwire-push": 25}[program_name]
            check(seconds(service["stop_grace_period"]) > default, f"{place} is killed before it has ended")
    check(used == set(file["secrets"]), f"{where}: secrets that nobody uses: {set(file['secrets']) - used}")
    # Caddy finds the others by the names of its file.
    aliases = {alias for service in services.values() if isinstance(service.get("networks"), dict)
               for network in service["networks"].values() for alias in (network or {}).get("aliases", [])}
    caddyfile = (DEPLOY / "proxies/Caddyfile").read_text()
    hosts = set(re.findall(r"([\w.-]+\.internal):\d+", caddyfile))
    check(hosts == aliases, f"{where}: the Caddyfile's hosts are {hosts}, the aliases {aliases}")
    subnet = file["networks"]["front"]["ipam"]["config"][0]["subnet"]
    trusted = services["hub-1"]["environment"]["BELLWIRE_HUB_TRUSTED_PROXIES"]
    check(trusted == subnet, f"{where}: hubs trust {trusted}, the network is {subnet}")
    done.append(f"{where}: {len(services)} services")


# --- systemd -------------------------------------------------------------------------------------


def systemd(secrets):
    directory = DEPLOY / "systemd"
    for unit in sorted(directory.glob("*.service")):
        text = unit.read_text()
        for command in re.findall(r"^ExecStart(?:Pre)?=(.+)$", text, re.M):
            path, *arguments = shlex.split(command)
            check_flags(Path(path).name, arguments, unit.name)
        if shutil.which("systemd-analyze") is None:
            print(f"warning: {unit.name} is not verified: systemd-analyze is missing", file=sys.stderr)
            continue
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
    with tempfile.TemporaryDirectory() as temporary:
        for name in ["hub", "push"]:
            file = Path(temporary) / f"{name}.toml"
            file.write_text(secrets.placed((directory / f"{name}.toml").read_text(), f"{name}.toml"))
            check_settings(f"bellwire-{name}", {}, secrets, f"systemd/{name}.toml", "--config", file)
    lines = [line for line in (directory / "functions.env").read_text().splitlines() if line and line[0] != "#"]
    check_functions(dict(line.split("=", 1) for line in lines), "functions.env")


# --- Kubernetes ----------------------------------------------------------------------------------


class Cluster:
    """The objects of deploy/kubernetes and deploy/spinkube, by kind and name."""

    def __init__(self):
        self.objects = {}
        for path in sorted([*(DEPLOY / "kubernetes").glob("*.yaml"), *(DEPLOY / "spinkube").glob("*.yaml")]):
            for document in documents(path):
                self.validate(path, document)
                key = document["kind"], document.get("metadata", {}).get("name", path.name)
                check(key not in self.objects, f"{path.name}: {key} twice")
                self.objects[key] = document
        self.kustomization = self.objects.pop(("Kustomization", "kustomization.yaml"))

    def validate(self, path, document):
        group = document["apiVersion"].split("/")[0]
        if group == "core.spinkube.dev":
            schemas = json.loads((ROOT / "tests/deploy/spinkube.schema.json").read_text())
            schema = {"allOf": [closed(schemas["definitions"][document["kind"]])]}
            for error in jsonschema.Draft202012Validator(schema).iter_errors(document):
                check(False, f"{path.name}: {'/'.join(map(str, error.path))}: {error.message}")
        elif group != "kustomize.config.k8s.io":
            for version in KUBERNETES:
                try:
                    kubernetes_validate.validate(document, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    place = "/".join(map(str, error.path))
                    check(False, f"{path.name}: {document['kind']} {place}: {error.message} ({version})")

    def of(self, kind):
        return [document for (its, _), document in self.objects.items() if its == kind]

    def get(self, kind, name, where):
        found = self.objects.get((kind, name))
        check(found, f"{where}: no {kind} {name}")
        return found or {}


def closed(schema):
    """The schema without unknown members, as `kubectl apply` with strict validation."""
    if isinstance(schema, list):
        return [closed(value) for value in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: closed(value) for key, value in schema.items()}
    if result.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
    # An object without properties is one whose schema is elsewhere, such as metadata.
    if result.get("type") == "object" and "properties" in result:
        result.setdefault("additionalProperties", False)
    return result


def kubernetes(targets, secrets):
    cluster = Cluster()
    here = DEPLOY / "kubernetes"
    listed = set(cluster.kustomization["resources"])
    files = {path.name for path in here.glob("*.yaml")} - {"kustomization.yaml", "secrets.example.yaml"}
    check(listed == files, f"kustomization.yaml lists {listed}, the files are {files}")
    if shutil.which("kubectl"):
        must_pass("kubectl kustomize", "kubectl", "kustomize", here)
    images = {image["name"] for image in cluster.kustomization["images"]}
    pods = {}
    for deployment in cluster.of("Deployment"):
        name, spec = deployment["metadata"]["name"], deployment["spec"]
        where = f"Deployment {name}"
        labels = spec["template"]["metadata"]["labels"]
        check(spec["selector"]["matchLabels"].items() <= labels.items(), f"{where}: the selector finds no pod")
        pod = spec["template"]["spec"]
        [container] = pod["containers"]
        pods[name] = labels, container
        check(container["image"] in images, f"{where}: {container['image']} has no tag in kustomization.yaml")
        target = targets[container["image"].rsplit("/", 1)[1]]
        user = str(pod["securityContext"]["runAsUser"])
        check(target.user.startswith(f"{user}:"), f"{where}: the user is {user}, the image's {target.user}")
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        check(set(ports.values()) == target.ports, f"{where}: ports {ports}, the image's {target.ports}")
        scrape = spec["template"]["metadata"].get("annotations", {}).get("prometheus.io/port")
        check(scrape in [None, str(ports.get("metrics"))], f"{where}: scraped at {scrape}")
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"]:
            check(container[probe]["httpGet"]["port"] in ports, f"{where}: {probe}")
        readiness = container["readinessProbe"]["httpGet"]["path"]
        expected = "/healthz" if name == "bellwire-functions" else "/readyz"
        check(readiness == expected, f"{where}: ready by {readiness}")
        env = environment(cluster, container, where)
        settings = {**target.env, **env}
        check_pod(cluster, pod, container, settings, where)
        if name == "bellwire-functions":
            check_functions(settings, where)
        else:
            check_settings(name, settings, secrets, where)
        check_times(pod, container, settings, where)
    check_references(cluster, pods)
    done.append(f"kubernetes: {len(cluster.objects)} objects")


def environment(cluster, container, where):
    env = {}
    for source in container.get("envFrom", []):
        env.update(cluster.get("ConfigMap", source["configMapRef"]["name"], where).get("data", {}))
    for variable in container.get("env", []):
        env[variable["name"]] = variable["value"] if "value" in variable else value_from(cluster, variable, where)
    return env


def value_from(cluster, variable, where):
    [(kind, reference)] = variable["valueFrom"].items()
    kind, member = {"secretKeyRef": ("Secret", "stringData"), "configMapKeyRef": ("ConfigMap", "data")}[kind]
    values = cluster.get(kind, reference["name"], where).get(member, {})
    check(reference["key"] in values, f"{where}: {variable['name']}: no {reference['key']} in {reference['name']}")
    return values.get(reference["key"], "")


def check_pod(cluster, pod, container, settings, where):
    """The files that settings name are mounted from keys of secrets that exist."""
    files = set()
    mounts = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", [])}
    for volume in pod.get("volumes", []):
        check(volume["name"] in mounts, f"{where}: the volume {volume['name']} is not mounted")
        if "secret" in volume:
            secret = cluster.get("Secret", volume["secret"]["secretName"], where).get("stringData", {})
            items = volume["secret"].get("items") or [{"key": key, "path": key} for key in secret]
            for item in items:
                check(item["key"] in secret, f"{where}: no key {item['key']}")
                files.add(f"{mounts[volume['name']]}/{item['path']}")
    for name, value in settings.items():
        if str(value).startswith("/run/secrets/"):
            check(value in files, f"{where}: {name}={value} is not mounted")
    security = container["securityContext"]
    check(security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], f"{where}: security")


def check_times(pod, container, settings, where):
    """The grace period is long enough for everything that happens in it."""
    wait = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    grace = pod["terminationGracePeriodSeconds"]
    defaults = {"hub": 10, "push": 25, "functions": 0}
    prefix = {"hub": "BELLWIRE_HUB_", "push": "BELLWIRE_PUSH_"}.get(container["name"], "")
    deadline = int(settings.get(f"{prefix}SHUTDOWN_DEADLINE_S", defaults[container["name"]]))
    check(grace >= wait + deadline + 5, f"{where}: {grace} s are fewer than {wait} + {deadline} + 5")
    if container["name"] != "push":
        check(wait >= 5, f"{where}: proxies still send requests when the process ends")
    ready = container["readinessProbe"]
    check(ready["periodSeconds"] * ready["failureThreshold"] <= 15, f"{where}: readiness is slow")


def check_references(cluster, pods):
    services = {}
    for service in cluster.of("Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        found = [container for labels, container in pods.values() if spec["selector"].items() <= labels.items()]
        if check(len(found) == 1, f"Service {name}: {len(found)} deployments"):
            ports = {port["name"] for port in found[0]["ports"]}
            for port in spec["ports"]:
                check(port["targetPort"] in ports, f"Service {name}: no port {port['targetPort']}")
        services[name] = {port["name"]: port["port"] for port in spec["ports"]}
    for budget in cluster.of("PodDisruptionBudget"):
        selector = budget["spec"]["selector"]["matchLabels"]
        found = [labels for labels, _ in pods.values() if selector.items() <= labels.items()]
        check(len(found) == 1, f"PodDisruptionBudget {budget['metadata']['name']}: {len(found)} deployments")
    check(len(cluster.of("PodDisruptionBudget")) == len(pods), "a deployment without a PodDisruptionBudget")
    for ingress in cluster.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                ports = services.get(backend["name"], {})
                check(backend["port"]["name"] in ports, f"Ingress {ingress['metadata']['name']}: {backend}")
    source = "".join(path.read_text() for path in (ROOT / "hub/src/metrics").rglob("*.rs"))
    for scaler in cluster.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        deployment = cluster.get("Deployment", target["name"], "HorizontalPodAutoscaler")
        check("replicas" not in deployment.get("spec", {}), f"{target['name']}: replicas and an autoscaler")
        for metric in scaler["spec"]["metrics"]:
            name = metric["pods"]["metric"]["name"]
            check(f'"{name}"' in source, f"the hub has no metric {name}")
    urls = {value for config in cluster.of("ConfigMap") for key, value in config["data"].items()
            if key.endswith("FUNCTIONS_URL")}
    for url in urls:
        host, port = url.removeprefix("http://").split(":")
        check(int(port) in services.get(host, {}).values(), f"{url} is no Service")
    for app in cluster.of("SpinApp"):
        known = variables_of_functions()
        for variable in app["spec"]["variables"]:
            check(variable["name"] in known, f"SpinApp: the functions have no variable {variable['name']}")
            if "valueFrom" in variable:
                value_from(cluster, variable, "SpinApp")
        cluster.get("SpinAppExecutor", app["spec"]["executor"], "SpinApp")


def main():
    with tempfile.TemporaryDirectory() as directory:
        secrets = Secrets(Path(directory) / "secrets")
        targets = containerfile()
        compose(targets, secrets)
        systemd(secrets)
        kubernetes(targets, secrets)
    done.append(images.images(ROOT, targets, check))
    for mistake in mistakes:
        print(f"error: {mistake}", file=sys.stderr)
    if mistakes:
        return 1
    print("\n".join(done))
    print(f"deploy/ is right: {len(done)} checks")
    return 0


sys.exit(main())
