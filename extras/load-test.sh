#!/bin/sh
# Load test of a relay or any OpenAI-compatible endpoint: `modelrelay bench` under the flags this script always had.
set -eu

usage() {
    cat <<'END'
Usage: load-test.sh [-n REQUESTS] [-c CONCURRENCY] [-m MODEL] [-u URL] [-k API_KEY] [-s] [-- FLAGS]

  -n REQUESTS     how many requests to send (100)
  -c CONCURRENCY  requests at a time (10)
  -m MODEL        the model to ask for (the first the endpoint lists)
  -u URL          the endpoint's base URL (PROXY_URL, else the relay of this machine)
  -k API_KEY      the API key; better kept in the variable MODELRELAY_API_KEY
  -s              ask for streams
  -h              this text

What follows -- goes to 'modelrelay bench' as it is; 'modelrelay bench --help' lists its flags.
MODELRELAY names the program where it is not found.
END
}

fail() {
    printf 'load-test.sh: %s\n' "$1" >&2
    exit 2
}

# The program: as named, beside this script (however it was called), on the path, or in the checkout this script belongs to.
run() {
    if [ -n "${MODELRELAY:-}" ]; then
        exec "$MODELRELAY" "$@"
    fi
    self=$0
    while [ -L "$self" ]; do
        target=$(readlink -- "$self")
        case $target in
        /*) self=$target ;;
        *) self=$(dirname -- "$self")/$target ;;
        esac
    done
    here=$(CDPATH='' cd -- "$(dirname -- "$self")" && pwd -P)
    for program in "$here/modelrelay" "$here/../modelrelay"; do
        if [ -f "$program" ] && [ -x "$program" ]; then exec "$program" "$@"; fi
    done
    if command -v modelrelay >/dev/null 2>&1; then exec modelrelay "$@"; fi
    if [ -f "$here/../src/main.ts" ] && command -v bun >/dev/null 2>&1; then exec bun "$here/../src/main.ts" "$@"; fi
    if [ -f "$here/../src/main.ts" ]; then
        fail "this checkout needs bun on the PATH to run; or name an executable: MODELRELAY=/path/to/modelrelay $0 ..."
    fi
    fail "modelrelay is neither beside this script nor on the PATH; name it: MODELRELAY=/path/to/modelrelay $0 ..."
}

requests=100
concurrency=10
model=
url=
stream=
while getopts n:c:m:u:k:sh flag; do
    case $flag in
    n) requests=$OPTARG ;;
    c) concurrency=$OPTARG ;;
    m) model=$OPTARG ;;
    u) url=$OPTARG ;;
    k)
        # In the environment it does not show in the process list.
        MODELRELAY_API_KEY=$OPTARG
        export MODELRELAY_API_KEY
        ;;
    s) stream=--stream ;;
    h)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
done
shift $((OPTIND - 1))
if [ $# -gt 0 ]; then
    case $1 in
    -*) ;;
    *) fail "unexpected argument '$1'; -h lists the flags" ;;
    esac
fi

run bench --requests="$requests" --concurrency="$concurrency" ${model:+--model="$model"} ${url:+--url="$url"} ${stream:+"$stream"} "$@"
