# Commands that become the user of an app which traces whatever it can.

probe=localhost/images:probe
export FAIRING_NET=none

check_setting_is_warned_of() {
    fairing run --rm "$probe" --exec /bin/true 2> /tmp/err
    if grep suid_dumpable /tmp/err; then return 1; fi
    echo 1 > /proc/sys/fs/suid_dumpable
    fairing run --rm "$probe" --exec /bin/true 2> /tmp/err
    grep -q 'warning: fs.suid_dumpable is 1' /tmp/err
}

check_what_is_caught_is_under_the_filter() {
    scope=/proc/sys/kernel/yama/ptrace_scope
    [ ! -e "$scope" ] || echo 0 > "$scope"
    fairing run --detach --name hunted "$probe" --user 5:5 --exec /probe -- hunt 20
    until fairing status hunted --format json | grep -q '"state": *"exited"'; do
        # Mostly it is caught.
        fairing enter hunted -- /bin/sleep 0.1 2> /dev/null || true
    done
    fairing logs hunted | tee /tmp/out
    # The hunt works, and what it gets is of no use.
    grep -q '^caught [1-9]' /tmp/out
    grep -q ', free 0$' /tmp/out
}

check_nothing_is_left() {
    if ps -o args | grep -E '[p]od-init|[s]tage1-nspawn'; then return 1; fi
}

fairing fetch oci:/images:probe > /tmp/fetched 2>&1 || cat /tmp/fetched
