# shellcheck shell=bash
# The processes of scripts/up: one run at a time, parts in their own process groups, and an ordered
# stop in every case. Sourced after lib.sh and net.sh.

LOG=$STATE/log
RUN=$STATE/run
UP_ENV=$STATE/up.env
READY_SECONDS=120

build_pid='' redis_pid='' origin_pid='' functions_pid='' hub_pid='' hub2_pid='' push_pid='' nap_pid=''
cluster_pids=()

# --- one run at a time ---------------------------------------------------------------------------

# Takes the lock, replacing a killed run and stopping its remaining processes.
take_lock() {
  local other node
  mkdir -p "$RUN" "$LOG" || fail "cannot create $STATE"
  while ! (set -C && printf '%s\n' "$$" >"$RUN/up.pid") 2>/dev/null; do
    other=$(cat "$RUN/up.pid" 2>/dev/null)
    case $(command_of "${other:-0}") in
      *scripts/up*)
        fail "already running here (process $other): use it, stop it with Ctrl-C there or with" \
          "\"kill $other\", or choose another BELLWIRE_DIR, PORT and HUB_PORT"
        ;;
    esac
    rm -f "$RUN/up.pid"
  done
  trap stop_all EXIT
  trap 'exit 0' INT TERM HUP
  trap 'exit 1' PIPE
  rm -f "$UP_ENV"
  stop_stale push bellwire-push
  stop_stale hub bellwire-hub
  stop_stale hub2 bellwire-hub
  stop_stale functions "bellwire-host|spin"
  stop_stale origin bellwire-demo-origin
  stop_stale redis redis-server
  for node in 1 2 3 4 5 6; do stop_stale "redis-$node" redis-server; done
}

stop_stale() {
  local pid
  pid=$(cat "$RUN/$1.pid" 2>/dev/null) || return 0
  if command_of "$pid" | grep -qE "$2"; then
    say "Stopping the $1 of a run that was killed (process $pid)"
    stop "$1" "$pid" 20
  fi
  rm -f "$RUN/$1.pid"
}

# --- starting and stopping -----------------------------------------------------------------------

# start NAME COMMAND…: runs it in the background, in its own process group; sets started_pid.
start() {
  local name=$1
  shift
  [ ! -f "$LOG/$name.log" ] || mv "$LOG/$name.log" "$LOG/$name.log.1"
  set -m
  "$@" </dev/null >"$LOG/$name.log" 2>&1 &
  started_pid=$!
  set +m
  printf '%s\n' "$started_pid" >"$RUN/$name.pid"
}

# stop NAME PID SECONDS: sends SIGTERM to the group, waits, then kills it.
stop() {
  local tries=$(($3 * 10))
  [ -n "$2" ] || return 0
  kill -TERM -- "-$2" 2>/dev/null
  while kill -0 "$2" 2>/dev/null && [ "$tries" -gt 0 ]; do
    sleep 0.1
    tries=$((tries - 1))
  done
  if kill -0 "$2" 2>/dev/null; then
    warn "the $1 did not stop within $3 s and was killed"
  fi
  # Kills the rest of the group, too.
  kill -KILL -- "-$2" 2>/dev/null
  wait "$2" 2>/dev/null
  rm -f "$RUN/$1.pid"
}

# The hub first, so that clients are told; Redis last, since the others use it.
stop_all() {
  local code=$? pid node=0
  trap '' INT TERM HUP PIPE
  trap - EXIT
  rm -f "$UP_ENV"
  {
    [ -z "$push_pid$hub_pid$functions_pid$origin_pid$redis_pid" ] || say "Stopping"
    [ -z "$nap_pid" ] || kill "$nap_pid"
    stop build "$build_pid" 5
    stop hub "$hub_pid" 20
    stop hub2 "$hub2_pid" 20
    stop push "$push_pid" 20
    stop functions "$functions_pid" 5
    stop origin "$origin_pid" 5
    stop redis "$redis_pid" 30
    # Bash 3.2 calls an empty array unset.
    for pid in ${cluster_pids[@]+"${cluster_pids[@]}"}; do
      node=$((node + 1))
      stop "redis-$node" "$pid" 30
    done
    # A signal may have arrived between the start of a part and the assignment of its process id.
    for pid in $(jobs -p); do kill -KILL -- "-$pid"; done
    rm -f "$RUN/up.pid" "$STATE/relay.token" "$STATE/push.token"
    [ "$code" != 0 ] || say "Stopped"
  } 2>/dev/null
  exit "$code"
}

# Unlike a plain sleep, it handles signals at once. Bash tells of a node of the cluster that someone
# has killed while it waits.
nap() {
  sleep "$1" &
  nap_pid=$!
  wait "$nap_pid" 2>/dev/null
  nap_pid=
}

# died NAME PID: reports a part that ended unexpectedly, and exits.
died() {
  local code
  wait "$2"
  code=$?
  printf 'error: the %s stopped (exit code %s). The end of %s:\n' "$1" "$code" "$LOG/$1.log" >&2
  tail -n 15 "$LOG/$1.log" | sed 's/^/    /' >&2
  exit 1
}

# await NAME PID PORT PATH: waits until the part answers 200. Compiling may take a while on a busy
# machine; an answer other than 200 shortens the wait to 20 s.
await() {
  local start=$SECONDS limit=$READY_SECONDS answer=
  while [ $((SECONDS - start)) -lt "$limit" ]; do
    kill -0 "$2" 2>/dev/null || died "$1" "$2"
    answer=$(http GET "$3" "$4")
    case $answer in
      200\ *) return 0 ;;
      ?*) [ "$limit" = 20 ] || { limit=20 start=$SECONDS; } ;;
    esac
    nap 0.2
  done
  fail "the $1: not ready after $limit s: GET http://127.0.0.1:$3$4 answers" \
    "\"${answer:-nothing}\"; see $LOG/$1.log"
}

# --- watching ------------------------------------------------------------------------------------

# Failed fetches that a run prints: where the text contains a value, each one differs.
FETCH_WARNINGS_MAX=20

fetch_log_rest='' fetch_warnings='' fetch_warnings_left=$FETCH_WARNINGS_MAX

# Reads what is new in the log of the functions, from descriptor 4, and prints why resources could not
# be fetched: their callers are told only that the source failed.
report_failed_fetches() {
  local line=
  while IFS= read -r line <&4; do
    line=$fetch_log_rest$line fetch_log_rest=
    case $line in *'"event":"fetch_failed"'*) report_failed_fetch "$line" ;; esac
  done
  # The start of a line whose end is not written yet.
  fetch_log_rest=$fetch_log_rest$line
}

# report_failed_fetch LINE: prints each reason once, up to the limit.
report_failed_fetch() {
  local text
  [ "$fetch_warnings_left" -gt 0 ] || return 0
  text="cannot fetch the resource \"$(json_text resource "$1")\": $(json_text error "$1")"
  case $fetch_warnings in *"$text"$'\n'*) return 0 ;; esac
  fetch_warnings=$fetch_warnings$text$'\n'
  warn "$text (see $LOG/functions.log)"
  fetch_warnings_left=$((fetch_warnings_left - 1))
  [ "$fetch_warnings_left" -gt 0 ] || warn "further failed fetches are only in $LOG/functions.log"
}

# json_text NAME LINE: a text in a line of the log, with its quotes and backslashes as they were.
json_text() {
  printf '%s\n' "$2" | sed -nE 's/.*"'"$1"'":"(([^"\\]|\\.)*)".*/\1/p' | sed -E 's/\\(["\\])/\1/g'
}

# make passes SIGTERM on, but not a SIGINT sent to make alone: it then waits for this script with
# SIGINT blocked. make may also have been killed.
make_is_leaving() {
  [ -n "${MAKELEVEL:-}" ] || return 1
  kill -0 "$PPID" 2>/dev/null || return 0
  [ -r "/proc/$PPID/status" ] || return 1
  case $(sed -n 's/^SigBlk:.*\(.\)$/\1/p' "/proc/$PPID/status") in
    [2367abefABEF]) return 0 ;; # bit 1 is SIGINT
  esac
  return 1
}
