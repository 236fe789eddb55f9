# Shared by the scripts; sourced, never run. Limited to bash 3.2, the version of macOS.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P) || exit 1
cd "$ROOT" || exit 1

# The files of a development run: key, logs, Redis, record. Relative to the root.
# shellcheck disable=SC2034 # used by the scripts that source this
STATE=${BELLWIRE_DIR:-.bellwire}

# spin.toml and the scripts name files below ./target, so another target directory is ignored.
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET
CARGO_ARGS="--target-dir target"
# In CI, the lock file must match; on a developer's machine it may be updated from Cargo.toml.
[ -z "${CI:-}" ] || CARGO_ARGS="$CARGO_ARGS --locked"

# rustup adds its directory to PATH only at the next login.
if ! command -v cargo >/dev/null 2>&1 && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
  PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
  export PATH
fi

# With the minutes since .ci/run began, in its log.
say() { printf '==> %s%s\n' "${CI_STARTED:+[$((($(date +%s) - CI_STARTED) / 60)) min] }" "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# The components, one per line, from spin.toml. Package and component have the same name.
components() {
  sed -n 's|^\[component\.\([a-z0-9-]*\)\]$|\1|p' spin.toml
}

# The file of a component: cargo writes - as _.
component_file() {
  printf 'target/wasm32-wasip2/component/%s.wasm\n' "$(printf '%s' "$1" | tr - _)"
}

# The components that may use SQLite.
components_with_sqlite() {
  awk '/^\[component\.[a-z0-9_-]*\]$/ { id = substr($0, 12, length($0) - 12) }
    /^sqlite_databases/ { print id }' spin.toml
}

# Creates the development key unless it exists. The key is the file's text, without a newline.
make_key() {
  local key=$STATE/auth.key
  [ ! -s "$key" ] || return 0
  (
    umask 077
    mkdir -p "$STATE" &&
      LC_ALL=C tr -dc 'A-Za-z0-9' </dev/urandom 2>/dev/null | head -c 48 >"$key.new" &&
      mv "$key.new" "$key"
  ) || fail "cannot write $key"
}

# The packages of client/package-lock.json, which the client's tests and client/dist need.
install_client_packages() {
  local stamp=client/node_modules/.installed
  [ "$(cat "$stamp" 2>/dev/null)" != "$(cksum client/package-lock.json)" ] || return 0
  say "Installing the packages of client/package-lock.json"
  (cd client && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error) ||
    fail "npm could not install them (its message is above)"
  cksum client/package-lock.json >"$stamp"
}

# is_installed DIR FILE…: whether DIR was installed from exactly these files.
is_installed() {
  local dir=$1
  shift
  [ "$(cat "$dir/installed" 2>/dev/null)" = "$(cksum "$@")" ]
}

# install_venv WHAT DIR REQUIREMENTS: Python packages, into a virtual environment DIR/venv; does nothing
# if they are installed.
install_venv() {
  local what=$1 dir=$2 requirements=$3
  is_installed "$dir" "$requirements" && return 0
  scripts/install-deps python
  say "Installing $what into $dir"
  rm -rf "$dir"
  mkdir -p "$dir"
  {
    python3 -m venv "$dir/venv" &&
      "$dir/venv/bin/pip" install -q --disable-pip-version-check -r "$requirements"
  } >"$dir/install.log" 2>&1 || {
    tail -n 15 "$dir/install.log" >&2
    fail "could not install $what; see $dir/install.log"
  }
  cksum "$requirements" >"$dir/installed"
}

# Lanes: work beside the script's own. `lane NAME COMMAND…` starts the command, whose output goes to a file;
# `end_lanes` waits for all lanes, prints what each wrote, and fails if one of them did. A script that ends
# earlier, or is stopped, stops its lanes with all that they started.
LANES=
lane() {
  local name=$1
  shift
  [ -n "$LANES" ] || {
    # Bash may warn that it has lost a job.
    trap '{ stop_lanes; } 2>/dev/null' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
  }
  mkdir -p target/lanes
  # With job control, each job has a process group of its own.
  set -m
  ("$@") >"target/lanes/$name.log" 2>&1 </dev/null &
  set +m
  LANES="$LANES $name:$!"
}
end_lanes() {
  local entry failed=
  for entry in $LANES; do
    wait "${entry#*:}" || failed="$failed ${entry%%:*}"
    cat "target/lanes/${entry%%:*}.log"
  done
  LANES=
  [ -z "$failed" ] || say "Failed:$failed"
  [ -z "$failed" ]
}
# shellcheck disable=SC2317,SC2329 # called by a trap
stop_lanes() {
  local entry
  for entry in $LANES; do kill -TERM -- "-${entry#*:}" || true; done
}
