"""Deployments on Kubernetes: each fits its image, has what its program needs, and the time to end."""

import shutil

from checking import DEPLOY, check, must_pass
from cluster import environment
from programs import check_functions, check_settings


def check_kustomization(cluster):
    directory = DEPLOY / "kubernetes"
    listed = set(cluster.kustomization["resources"])
    files = {path.name for path in directory.glob("*.yaml")} - {"kustomization.yaml", "secrets.example.yaml"}
    check(listed == files, f"kustomization.yaml lists {listed}, the files are {files}")
    if shutil.which("kubectl"):
        must_pass("kubectl kustomize", "kubectl", "kustomize", directory)


def check_deployments(cluster, targets, secrets):
    """Returns the labels and the container of each deployment's pods, by its name."""
    pods = {}
    for deployment in cluster.of("Deployment"):
        name, template = deployment["metadata"]["name"], deployment["spec"]["template"]
        [container] = template["spec"]["containers"]
        pods[name] = template["metadata"]["labels"], container
        check_deployment(cluster, deployment, container, targets, secrets)
    return pods


def check_deployment(cluster, deployment, container, targets, secrets):
    name, spec = deployment["metadata"]["name"], deployment["spec"]
    where = f"Deployment {name}"
    labels = spec["template"]["metadata"]["labels"]
    check(spec["selector"]["matchLabels"].items() <= labels.items(), f"{where}: the selector finds no pod")
    pod = spec["template"]["spec"]
    images = {image["name"] for image in cluster.kustomization["images"]}
    check(container["image"] in images, f"{where}: {container['image']} has no tag in kustomization.yaml")
    target = targets[container["image"].rsplit("/", 1)[1]]
    check_container(pod, container, target, where)
    scrape = spec["template"]["metadata"].get("annotations", {}).get("prometheus.io/port")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    check(scrape in [None, str(ports.get("metrics"))], f"{where}: scraped at {scrape}")
    readiness = container["readinessProbe"]["httpGet"]["path"]
    expected = "/healthz" if name == "bellwire-functions" else "/readyz"
    check(readiness == expected, f"{where}: ready by {readiness}")
    settings = {**target.env, **environment(cluster, container, where)}
    check_files(cluster, pod, container, settings, where)
    if name == "bellwire-functions":
        check_functions(settings, where)
    else:
        check_settings(name, settings, secrets, where)
    check_times(pod, container, settings, where)


def check_container(pod, container, target, where):
    """It runs as its image says."""
    user = str(pod["securityContext"]["runAsUser"])
    check(target.user.startswith(f"{user}:"), f"{where}: the user is {user}, the image's {target.user}")
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    check(set(ports.values()) == target.ports, f"{where}: ports {ports}, the image's {target.ports}")
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"]:
        check(container[probe]["httpGet"]["port"] in ports, f"{where}: {probe}")
    security = container["securityContext"]
    check(security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], f"{where}: security")


def check_files(cluster, pod, container, settings, where):
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
