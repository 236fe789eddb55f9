"""Objects of Kubernetes and SpinKube that name others: what they name is there."""

from checking import ROOT, check
from cluster import value_from
from programs import variables_of_functions


def check_references(cluster, pods):
    """`pods` are the labels and containers of the deployments' pods."""
    ports = check_services(cluster, pods)
    check_budgets(cluster, pods)
    check_ingresses(cluster, ports)
    check_scalers(cluster)
    check_urls(cluster, ports)
    check_spin_apps(cluster)


def check_services(cluster, pods):
    """Returns the ports of each service, by their names."""
    services = {}
    for service in cluster.of("Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        found = [container for labels, container in pods.values() if spec["selector"].items() <= labels.items()]
        if check(len(found) == 1, f"Service {name}: {len(found)} deployments"):
            ports = {port["name"] for port in found[0]["ports"]}
            for port in spec["ports"]:
                check(port["targetPort"] in ports, f"Service {name}: no port {port['targetPort']}")
        services[name] = {port["name"]: port["port"] for port in spec["ports"]}
    return services


def check_budgets(cluster, pods):
    budgets = cluster.of("PodDisruptionBudget")
    for budget in budgets:
        selector = budget["spec"]["selector"]["matchLabels"]
        found = [labels for labels, _ in pods.values() if selector.items() <= labels.items()]
        check(len(found) == 1, f"PodDisruptionBudget {budget['metadata']['name']}: {len(found)} deployments")
    check(len(budgets) == len(pods), "a deployment without a PodDisruptionBudget")


def check_ingresses(cluster, services):
    for ingress in cluster.of("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                backend = path["backend"]["service"]
                ports = services.get(backend["name"], {})
                check(backend["port"]["name"] in ports, f"Ingress {ingress['metadata']['name']}: {backend}")


def check_scalers(cluster):
    source = "".join(path.read_text() for path in (ROOT / "hub/src/metrics").rglob("*.rs"))
    for scaler in cluster.of("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        deployment = cluster.get("Deployment", target["name"], "HorizontalPodAutoscaler")
        check("replicas" not in deployment.get("spec", {}), f"{target['name']}: replicas and an autoscaler")
        for metric in scaler["spec"]["metrics"]:
            name = metric["pods"]["metric"]["name"]
            check(f'"{name}"' in source, f"the hub has no metric {name}")


def check_urls(cluster, services):
    urls = {value for config in cluster.of("ConfigMap") for key, value in config["data"].items()
            if key.endswith("FUNCTIONS_URL")}
    for url in urls:
        host, port = url.removeprefix("http://").split(":")
        check(int(port) in services.get(host, {}).values(), f"{url} is no Service")


def check_spin_apps(cluster):
    known = variables_of_functions()
    for app in cluster.of("SpinApp"):
        for variable in app["spec"]["variables"]:
            check(variable["name"] in known, f"SpinApp: the functions have no variable {variable['name']}")
            if "valueFrom" in variable:
                value_from(cluster, variable, "SpinApp")
        cluster.get("SpinAppExecutor", app["spec"]["executor"], "SpinApp")
