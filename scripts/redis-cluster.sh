# shellcheck shell=bash
# The Redis Cluster of `make up CLUSTER=1`: three masters, each with a replica. Sourced by scripts/up, which
# reads redis_url and redis_host. STATE is of lib.sh.
# shellcheck disable=SC2034,SC2153

CLUSTER_DIR=$STATE/cluster
CLUSTER_NODES=6

# free_ports FROM: prints the first of so many consecutive ports that are free, together with those
# of the nodes' own traffic, 10,000 above.
free_ports() {
  local first=$1 at
  for ((at = 0; at < CLUSTER_NODES; at++)); do
    if port_taken $((first + at)) || port_taken $((first + at + 10000)); then
      first=$((first + at + 1)) at=-1
    fi
  done
  printf '%s' "$first"
}

# The nodes remember each other's ports, so these are chosen once.
choose_cluster_ports() {
  local at
  mkdir -p "$CLUSTER_DIR" || fail "cannot create $CLUSTER_DIR"
  cluster_port=$(cat "$CLUSTER_DIR/port" 2>/dev/null)
  if [ -z "$cluster_port" ]; then
    cluster_port=$(free_ports 6400)
    printf '%s\n' "$cluster_port" >"$CLUSTER_DIR/port"
  fi
  for ((at = 0; at < CLUSTER_NODES; at++)); do
    ! port_taken $((cluster_port + at)) ||
      fail "port $((cluster_port + at)) is in use$(port_holder $((cluster_port + at))), and the" \
        "Redis Cluster in $CLUSTER_DIR has it: stop that, or delete $CLUSTER_DIR and its data"
  done
}

# Starts the nodes, and makes them a cluster the first time. Sets redis_url, redis_host and
# cluster_pids.
start_cluster() {
  local at port seeds=()
  have redis-cli || fail "redis-cli is not installed; it makes the nodes a cluster"
  choose_cluster_ports
  for ((at = 0; at < CLUSTER_NODES; at++)); do
    port=$((cluster_port + at))
    mkdir -p "$CLUSTER_DIR/$port"
    start "redis-$((at + 1))" redis-server --bind 127.0.0.1 --port "$port" \
      --dir "$CLUSTER_DIR/$port" --appendonly yes --save "" --logfile "" --daemonize no \
      --cluster-enabled yes --cluster-config-file nodes.conf --cluster-node-timeout 5000 \
      --cluster-require-full-coverage no
    cluster_pids+=("$started_pid")
    seeds+=("127.0.0.1:$port")
  done
  for ((at = 0; at < CLUSTER_NODES; at++)); do
    parse_redis_url "redis://127.0.0.1:$((cluster_port + at))"
    redis_pid=${cluster_pids[at]}
    await_redis || died "redis-$((at + 1))" "$redis_pid"
  done
  redis_pid=
  # A run that was stopped right after making the cluster left no word of it.
  if [ ! -e "$CLUSTER_DIR/made" ] && ! knows_all_nodes "$cluster_port"; then
    redis-cli --cluster create "${seeds[@]}" --cluster-replicas 1 --cluster-yes \
      >"$LOG/cluster.log" 2>&1 ||
      fail "redis-cli cannot make the nodes a cluster: see $LOG/cluster.log; deleting" \
        "$CLUSTER_DIR starts anew"
  fi
  touch "$CLUSTER_DIR/made"
  await_cluster
  redis_url=redis+cluster://$(
    IFS=,
    printf '%s' "${seeds[*]}"
  )
  # A range of ports without its end, as Spin writes it.
  redis_host=127.0.0.1:$cluster_port..$((cluster_port + CLUSTER_NODES))
}

# knows_all_nodes PORT: whether the node at this port belongs to a complete cluster.
knows_all_nodes() {
  redis-cli -h 127.0.0.1 -p "$1" cluster info 2>/dev/null | tr -d '\r' |
    grep -q "^cluster_known_nodes:$CLUSTER_NODES\$"
}

# Nodes that were stopped need some seconds to elect their masters again.
await_cluster() {
  local until=$((SECONDS + READY_SECONDS)) at state
  for ((at = 0; at < CLUSTER_NODES; at++)); do
    while :; do
      state=$(redis-cli -h 127.0.0.1 -p $((cluster_port + at)) cluster info 2>/dev/null |
        tr -d '\r' | grep -E '^cluster_(state|slots_ok|known_nodes):' | tr '\n' ' ')
      case $state in
        "cluster_state:ok cluster_slots_ok:16384 cluster_known_nodes:$CLUSTER_NODES "*) break ;;
      esac
      [ "$SECONDS" -lt "$until" ] ||
        fail "the Redis Cluster is not ready after $READY_SECONDS s: $LOG/redis-*.log; deleting" \
          "$CLUSTER_DIR starts anew"
      nap 0.2
    done
  done
}
