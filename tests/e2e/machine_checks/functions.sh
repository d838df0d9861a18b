# Runs in a virtual machine as its only job, with busybox's shell. Each check is a function; what
# it says and does is shown only if it fails.

# What else is to be seen if a check fails; a script may have its own.
more_of_failure() {
    true
}

check() {
    # Not in a condition: there, `set -e` would have no effect.
    (set -eux; "check_$1") > "/tmp/log-$1" 2>&1
    status=$?
    if [ "$status" = 0 ]; then
        echo "CHECK $1 ok"
    else
        echo "CHECK $1 FAIL exit code $status"
        grep -v ': accepted unsigned' "/tmp/log-$1" | sed 's/^/    /'
        more_of_failure | sed 's/^/    /'
    fi
    fairing stop --force $(fairing list --format json | sed -n 's/.*"uuid": *"\([^"]*\)".*/\1/p') \
        > /dev/null 2>&1
    fairing gc --grace-period=0s > /dev/null 2>&1
}

equal() {
    [ "$1" = "$2" ] || { echo "expected '$2', found '$1'"; return 1; }
}

contains() {
    case $1 in *"$2"*) ;; *) echo "expected '$2' in '$1'"; return 1 ;; esac
}

# Runs a command that is to end with this exit code.
code() {
    wanted=$1
    shift
    found=0
    "$@" || found=$?
    equal "$found" "$wanted"
}

# Waits until a command succeeds, ten seconds at most.
await() {
    await_within 500 "$@"
}

# Waits until a command succeeds, with so many pauses of a fiftieth of a second.
await_within() {
    # A trace of each try says nothing.
    set +x
    most=$1
    shift
    tries=0
    until "$@" > /dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt "$most" ] || { echo "not so after $((most / 50)) seconds: $*"; return 1; }
        usleep 20000
    done
    set -x
}

