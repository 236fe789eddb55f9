"""Runs the last stage of each image in a chroot, as a container engine would: the files that the Containerfile copies,
its environment, user and entry point, over the libraries that the base image has and nothing else. No image is built
or pulled. The stage `build` is not run: its programs and components are those in target/.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

# What distroless/cc has of what a Rust program may need.
LIBRARIES = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2",
             "ld-linux-aarch64.so.1"}
START_LIMIT_S = 60
END_LIMIT_S = 30
CHROOT = shutil.which("chroot", path=os.environ.get("PATH", "") + ":/usr/sbin")
KEY = "a key of the checks, 32 bytes or more"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def staged(root, out):
    """The directory /out of the stage `build`, made by its own commands but for the compiler's."""
    (out / "bin").mkdir(parents=True)
    for name in ["bellwire", "bellwire-host", "bellwire-hub", "bellwire-push"]:
        shutil.copy2(root / "target/release" / name, out / "bin")
    components = out / "app/target/wasm32-wasip2/component"
    components.mkdir(parents=True)
    for path in (root / "target/wasm32-wasip2/component").glob("*.wasm"):
        without = root / "target/without-sqlite/wasm32-wasip2/component" / path.name
        shutil.copy2(without if without.exists() else path, components)
    (out / "app/functions/cache").mkdir(parents=True)
    shutil.copy2(root / "functions/cache/resources.toml", out / "app/functions/cache")
    lines = (root / "spin.toml").read_text().splitlines(keepends=True)
    text = "".join(line for line in lines if not line.startswith("sqlite_databases"))
    (out / "app/spin.toml").write_text(text)


def base(image, programs):
    """The base image: libraries, certificates of authorities, an empty /tmp, nothing else. Returns the libraries that it lacks."""
    lacking = set()
    for program in programs:
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=30).stdout
        for path in re.findall(r"(/[^ ]+) \(0x", listed):
            name = Path(path).name
            if name not in LIBRARIES:
                lacking.add(name)
            place = image / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    place = image / str(certificates).lstrip("/")
    place.parent.mkdir(parents=True)
    shutil.copy2(certificates, place)
    for name in ["tmp", "run/secrets"]:
        (image / name).mkdir(parents=True, exist_ok=True)
    (image / "tmp").chmod(0o1777)
    return lacking


def lay(target, out, image):
    """Does what the lines `COPY --from=build` say."""
    for sources, destination in target.copies:
        place = image / destination.lstrip("/")
        for source in sources:
            path = out / source.removeprefix("/out/")
            if path.is_dir():
                shutil.copytree(path, place, dirs_exist_ok=True)
            else:
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, place)


def files(image):
    return {path for path in image.rglob("*") if not path.is_relative_to(image / "tmp")}


def inside(image, user, env, command):
    return subprocess.Popen(
        [CHROOT, f"--userspec={user}", image, *command],
        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )


def run_target(name, target, image, settings, url, check):
    """Starts it, waits until its own probe says that it serves, and stops it."""
    env = {**target.env, **settings, "PATH": "/usr/local/bin:/usr/bin:/bin"}
    before = files(image)
    process = inside(image, target.user, env, target.entrypoint)
    try:
        limit, answered = time.monotonic() + START_LIMIT_S, False
        while not answered and time.monotonic() < limit and process.poll() is None:
            probe = ["/usr/local/bin/bellwire", "probe", url, "--timeout", "2"]
            probing = inside(image, target.user, {"PATH": env["PATH"]}, probe)
            probing.communicate(timeout=END_LIMIT_S)
            answered = probing.returncode == 0
            time.sleep(0.1)
        check(answered, f"image {name}: {url} never answered")
        process.terminate()
        output, _ = process.communicate(timeout=END_LIMIT_S)
        check(process.returncode == 0, f"image {name}: exit code {process.returncode}:\n{output}")
        check(answered or not output, f"image {name} printed:\n{output}")
        wrote = files(image) - before
        check(not wrote, f"image {name}: writes outside of /tmp: {wrote}")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def check_images(root, targets, check):
    """Checks all images but `spin`, whose base has Spin. Returns what was done, or why not."""
    if os.geteuid() != 0 or not CHROOT or not shutil.which("ldd"):
        return "images: not run in a chroot, which needs root and Linux"
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        directory.chmod(0o755)
        staged(root, directory / "out")
        redis_port = free_port()
        redis = subprocess.Popen(
            ["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", directory],
            stdout=subprocess.DEVNULL,
        )
        try:
            redis_url = f"redis://127.0.0.1:{redis_port}"
            ports = [free_port() for _ in range(4)]
            at = [f"127.0.0.1:{port}" for port in ports]
            hub = {"REDIS_URL": redis_url, "AUTH_HS256_KEY_FILE": "/run/secrets/auth.key",
                   "BELLWIRE_HUB_LISTEN": at[0], "BELLWIRE_HUB_METRICS_LISTEN": at[1]}
            push = {"BELLWIRE_PUSH_REDIS_URL": redis_url, "BELLWIRE_PUSH_METRICS_LISTEN": at[2],
                    "BELLWIRE_PUSH_FUNCTIONS_URL": f"http://{at[3]}",
                    "BELLWIRE_PUSH_FUNCTIONS_TOKEN_FILE": "/run/secrets/push.token",
                    "BELLWIRE_PUSH_VAPID_KEY": "/run/secrets/vapid.key",
                    "BELLWIRE_PUSH_VAPID_SUBJECT": "mailto:ops@example.com"}
            functions = {"SPIN_HTTP_LISTEN_ADDR": at[3], "SPIN_VARIABLE_REDIS_URL": redis_url,
                         "SPIN_VARIABLE_REDIS_HOST": redis_url.removeprefix("redis://"),
                         "SPIN_VARIABLE_AUTH_HS256_KEY": KEY}
            for name, settings, url in [
                ("hub", hub, f"http://{at[1]}/readyz"),
                ("push", push, f"http://{at[2]}/healthz"),
                ("functions", functions, f"http://{at[3]}/healthz"),
            ]:
                image = directory / name
                lay(targets[name], directory / "out", image)
                lacking = base(image, [path for path in (image / "usr/local/bin").iterdir()])
                check(not lacking, f"image {name}: its base has no {lacking}")
                secret = image / "run/secrets"
                (secret / "auth.key").write_text(KEY)
                (secret / "push.token").write_text("none")
                vapid = [root / "target/release/bellwire-push", "vapid-key", secret / "vapid.key"]
                subprocess.run(vapid, check=True, capture_output=True, timeout=30)
                for path in secret.iterdir():
                    path.chmod(0o644)
                run_target(name, targets[name], image, settings, url, check)
        finally:
            redis.terminate()
            redis.wait(timeout=END_LIMIT_S)
    return "images: hub, push and functions run in a chroot"
