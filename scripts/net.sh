# shellcheck shell=bash
# Ports, HTTP and Redis in pure bash: a fresh machine may lack curl, ss or redis-cli, and a token
# that is not an argument of a program does not show in the list of processes. Sourced.

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port FROM: prints the first free port from FROM on.
free_port() {
  local port=$1
  while port_taken "$port"; do port=$((port + 1)); done
  printf '%s' "$port"
}

# The command line of a process, or nothing.
command_of() {
  if [ -r "/proc/$1/cmdline" ]; then
    tr '\0' ' ' <"/proc/$1/cmdline"
  elif have ps; then
    ps -o command= -p "$1"
  fi 2>/dev/null
}

# port_holder PORT: prints " by NAME (process N)" if it can find the process.
port_holder() {
  local pid='' inode name
  if [ -r /proc/net/tcp ]; then
    # The listening socket (state 0A) of that port, then the process that has it open.
    inode=$(awk -v port=":$(printf '%04X' "$1")" '$4 == "0A" && substr($2, length($2) - 4) == port {
      print $10; exit }' /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    [ -z "$inode" ] ||
      pid=$(find /proc/[0-9]*/fd -maxdepth 1 -lname "socket:\\[$inode\\]" 2>/dev/null |
        head -n 1 | cut -d/ -f3)
  elif have lsof; then
    pid=$(lsof -nP -iTCP:"$1" -sTCP:LISTEN -t 2>/dev/null | head -n 1)
  fi
  [ -n "$pid" ] || return 0
  # An argument such as a script may have several lines.
  name=$(command_of "$pid" | head -n 1 | cut -d' ' -f1)
  printf ' by %s (process %s)' "${name##*/}" "$pid"
}

# http METHOD PORT PATH [TOKEN]: sends a request without a body to 127.0.0.1 and prints the status,
# a space and the body. Prints nothing without an answer within 10 s.
http() {
  (
    exec 3<>"/dev/tcp/127.0.0.1/$2" || exit 1
    {
      printf '%s %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n' "$1" "$3" "$2"
      [ -z "${4:-}" ] || printf 'Authorization: Bearer %s\r\n' "$4"
      printf 'Content-Length: 0\r\nConnection: close\r\n\r\n'
    } >&3
    IFS=' ' read -r -t 10 _ status _ <&3 || exit 1
    while IFS= read -r -t 10 line <&3 && [ "${line%$'\r'}" != "" ]; do :; done
    body=
    IFS= read -r -t 10 -d '' body <&3
    printf '%s %s' "$status" "${body:0:500}"
  ) 2>/dev/null
}

# parse_redis_url URL: sets redis_url (including the port), redis_host (host:port), redis_name,
# redis_port, redis_user, redis_password and redis_tls; fails if it is not a Redis URL.
# shellcheck disable=SC2034 # used by the scripts that source this
parse_redis_url() {
  local scheme=${1%%://*} rest=${1#*://} authority userinfo='' tail
  case $1 in redis://* | rediss://*) ;; *) return 1 ;; esac
  authority=${rest%%[/?#]*}
  tail=${rest#"$authority"}
  case $authority in
    *@*)
      userinfo=${authority%@*}@
      authority=${authority##*@}
      ;;
  esac
  case $authority in
    \[*\]) redis_name=$authority redis_port=6379 ;;
    *:*) redis_name=${authority%:*} redis_port=${authority##*:} ;;
    *) redis_name=$authority redis_port=6379 ;;
  esac
  case $redis_port in '' | *[!0-9]*) return 1 ;; esac
  [ -n "$redis_name" ] || return 1
  redis_host=$redis_name:$redis_port
  redis_url=$scheme://$userinfo$redis_host$tail
  redis_name=${redis_name#\[}
  redis_name=${redis_name%\]}
  redis_user='' redis_password=''
  case $userinfo in
    *:*)
      redis_user=$(percent_decoded "${userinfo%%:*}")
      userinfo=${userinfo%@}
      redis_password=$(percent_decoded "${userinfo#*:}")
      ;;
  esac
  redis_tls=
  [ "$scheme" = redis ] || redis_tls=yes
}

percent_decoded() {
  local text=${1//\\/\\\\}
  printf '%b' "${text//%/\\x}"
}

# Prints the first line of the answer to PING of the Redis of parse_redis_url; "+PONG" means
# success. Over TLS it only connects: the functions' /readyz checks the rest.
# shellcheck disable=SC2016 # $4 is the protocol's "four bytes follow"
redis_ping() {
  local line words LC_ALL=C
  exec 3<>"/dev/tcp/$redis_name/$redis_port" || return 1
  if [ -n "$redis_tls" ]; then
    printf '+PONG'
    return 0
  fi
  if [ -n "$redis_password" ]; then
    words=2
    [ -z "$redis_user" ] || words=3
    {
      printf '*%d\r\n$4\r\nAUTH\r\n' "$words"
      [ -z "$redis_user" ] || printf '$%d\r\n%s\r\n' "${#redis_user}" "$redis_user"
      printf '$%d\r\n%s\r\n' "${#redis_password}" "$redis_password"
    } >&3
    IFS= read -r -t 5 line <&3 || return 1
    case $line in +OK*) ;; *)
      printf '%s' "${line%$'\r'}"
      return 0
      ;;
    esac
  fi
  printf '*1\r\n$4\r\nPING\r\n' >&3
  IFS= read -r -t 5 line <&3 || return 1
  printf '%s' "${line%$'\r'}"
}

# with_deadline SECONDS FUNCTION: prints its output, or nothing if it takes longer (a connect to an
# address that drops packets takes minutes).
with_deadline() {
  local tries=$(($1 * 10)) pid
  "$2" 2>/dev/null &
  pid=$!
  while [ "$tries" -gt 0 ] && kill -0 "$pid" 2>/dev/null; do
    sleep 0.1
    tries=$((tries - 1))
  done
  kill "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
}
