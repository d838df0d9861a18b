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

# Waits until a command succeeds, ten seconds at most.
await() {
    # A trace of each try says nothing.
    set +x
    tries=0
    until "$@" > /dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || { echo "not so after ten seconds: $*"; return 1; }
        usleep 20000
    done
    set -x
}

