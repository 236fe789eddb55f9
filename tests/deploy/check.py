"""Checks the files in deploy/. Prints every mistake; exit code 1 if there is one.

Schemas and linters find what is misspelt: kubernetes-validate, SpinKube's own schemas, the Compose
specification, hadolint, systemd-analyze. The rest compares the files with each other and with the programs:
every setting is given to `check-config` of the program that gets it, every flag must be in its `--help`, and
every SPIN_VARIABLE_ a variable of spin.toml.
"""

import sys
import tempfile
from pathlib import Path

from checking import ROOT, check, done, mistakes
from cluster import Cluster
from compose import check_compose
from containerfile import check_containerfile
from images import check_images
from made_secrets import Secrets
from references import check_references
from units import check_systemd
from workloads import check_deployments, check_kustomization


def check_all(secrets):
    targets = check_containerfile()
    check_compose(targets, secrets)
    check_systemd(secrets)
    cluster = Cluster()
    check_kustomization(cluster)
    pods = check_deployments(cluster, targets, secrets)
    check_references(cluster, pods)
    done.append(f"kubernetes: {len(cluster.objects)} objects")
    done.append(check_images(ROOT, targets, check))


def main():
    with tempfile.TemporaryDirectory() as directory:
        check_all(Secrets(Path(directory) / "secrets"))
    for mistake in mistakes:
        print(f"error: {mistake}", file=sys.stderr)
    if mistakes:
        return 1
    print("\n".join(done))
    print(f"deploy/ is right: {len(done)} checks")
    return 0


sys.exit(main())
