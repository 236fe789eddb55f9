#!/usr/bin/env python3
"""Writes what the released programs and components contain: a CycloneDX 1.5 document, and the licences.

  scripts/sbom.py TARGET OUTPUT.cdx.json LICENCES.txt

From `cargo metadata` and Cargo.lock: every package that is linked into a shipped one on TARGET or in WASM, with
its checksum, its licence and what it depends on. The same checkout gives the same bytes.
"""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
import uuid
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Native programs; the components are those of spin.toml.
PROGRAMS = ["cli", "host", "hub", "pusher"]
NAMESPACE = uuid.UUID("1c3c0a3e-57a5-4b3c-9d59-0c8f5d2b9a11")
LICENCE_FILES = ("licen", "copying", "notice", "unlicense")


def metadata(target):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def linked(data, roots):
    """Ids of the packages that are linked into `roots`, each with the ids that it depends on."""
    names = {package["id"]: package["name"] for package in data["packages"]}
    members = set(data["workspace_members"])
    nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
    open_ids = [id for id in members if names[id] in roots]
    missing = set(roots) - {names[id] for id in open_ids}
    if missing:
        sys.exit(f"error: no package {', '.join(sorted(missing))}")
    found = {}
    while open_ids:
        id = open_ids.pop()
        if id in found:
            continue
        # Not what only builds or tests it.
        found[id] = sorted(dep["pkg"] for dep in nodes[id]["deps"]
                           if any(kind["kind"] is None for kind in dep["dep_kinds"]))
        open_ids.extend(found[id])
    return found


def main(target, output, licences):
    manifest = tomllib.loads((ROOT / "spin.toml").read_text())
    checksums = {(package["name"], package["version"]): package.get("checksum")
                 for package in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    packages, depends = {}, {}
    for platform, roots in [(target, PROGRAMS), ("wasm32-wasip2", list(manifest["component"]))]:
        data = metadata(platform)
        by_id = {package["id"]: package for package in data["packages"]}
        for id, needed in linked(data, roots).items():
            packages[reference(by_id[id])] = by_id[id]
            needs = depends.setdefault(reference(by_id[id]), set())
            needs.update(reference(by_id[other]) for other in needed)
    version = manifest["application"]["version"]
    shipped = sorted(name for name, package in packages.items()
                     if package["source"] is None and package["name"] in [*PROGRAMS, *manifest["component"]])
    time = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), timezone.utc)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, json.dumps(sorted(packages)) + version)}",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "bom-ref": "bellwire", "name": "bellwire", "version": version,
                          "licenses": [{"expression": "Apache-2.0 OR MIT"}]},
        },
        "components": [component(name, packages[name], checksums) for name in sorted(packages)],
        "dependencies": [{"ref": "bellwire", "dependsOn": shipped}]
        + [{"ref": name, "dependsOn": sorted(depends[name])} for name in sorted(depends)],
    }
    Path(output).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    foreign = {name: package for name, package in packages.items() if package["source"] is not None}
    Path(licences).write_text(texts(foreign))
    print(f"{len(packages)} packages, {len(foreign)} of others")


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(name, package, checksums):
    entry = {"type": "library", "bom-ref": name, "name": package["name"], "version": package["version"],
             "purl": name}
    if package["license"]:
        # An older way to write OR.
        entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return entry


def texts(packages):
    """Each text of a licence once, with the packages that it is from."""
    users, bodies, without = {}, {}, []
    for name in sorted(packages):
        folder = Path(packages[name]["manifest_path"]).parent
        files = sorted(path for path in folder.iterdir()
                       if path.is_file() and path.name.lower().startswith(LICENCE_FILES))
        for path in files:
            body = path.read_text(errors="replace").replace("\r\n", "\n").strip()
            key = hashlib.sha256(" ".join(body.split()).encode()).hexdigest()
            bodies.setdefault(key, body)
            users.setdefault(key, []).append(name.removeprefix("pkg:cargo/"))
        if not files:
            without.append(f"{name.removeprefix('pkg:cargo/')} ({packages[name]['license']})")
    parts = ["Software of others that is part of Bellwire's programs and components, with its licences."]
    if without:
        parts.append("Without a file of its own in its package:\n  " + "\n  ".join(without))
    for key in sorted(bodies, key=lambda key: users[key]):
        parts.append("-" * 80 + "\n" + ", ".join(dict.fromkeys(users[key])) + "\n\n" + bodies[key])
    return "\n\n".join(parts) + "\n"


if len(sys.argv) != 4:
    sys.exit(__doc__)
main(*sys.argv[1:])
