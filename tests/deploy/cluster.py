"""The objects of Kubernetes and SpinKube, valid by their schemas."""

import json

import jsonschema
import kubernetes_validate

from checking import DEPLOY, ROOT, check, documents

# `preStop: sleep` came with 1.30; the newest that kubernetes-validate has.
KUBERNETES = ["1.30", "1.37"]


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


def environment(cluster, container, where):
    """A container's variables."""
    env = {}
    for source in container.get("envFrom", []):
        env.update(cluster.get("ConfigMap", source["configMapRef"]["name"], where).get("data", {}))
    for variable in container.get("env", []):
        env[variable["name"]] = variable["value"] if "value" in variable else value_from(cluster, variable, where)
    return env


def value_from(cluster, variable, where):
    """The value of a variable that names a secret or a ConfigMap."""
    [(kind, reference)] = variable["valueFrom"].items()
    kind, member = {"secretKeyRef": ("Secret", "stringData"), "configMapKeyRef": ("ConfigMap", "data")}[kind]
    values = cluster.get(kind, reference["name"], where).get(member, {})
    check(reference["key"] in values, f"{where}: {variable['name']}: no {reference['key']} in {reference['name']}")
    return values.get(reference["key"], "")
