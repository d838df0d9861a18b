# Before the functions of machine_checks: what these call there is busybox's.
usleep() {
    sleep "$1e-6"
}

app=registry.example.com/team/app:1.0

# What a web server on this machine's port answers.
answer() {
    exec 5<> "/dev/tcp/127.0.0.1/${1:-80}"
    printf 'GET / HTTP/1.0\r\n\r\n' >&5
    cat <&5
    exec 5>&-
}

answers() {
    answer "$@" | grep -q 'hello from the pod'
}

# The number of a unit's pod: `init-pid` or `monitor-pid`.
number() {
    fairing status --format json "$1" | sed -n "s/.*\"$2\": *\([0-9]*\).*/\1/p" | head -n 1
}

main_pid() {
    systemctl show --property=MainPID --value "$1"
}

# Whether a unit runs, with another main process than before.
came_back() {
    [ "$(systemctl is-active "$1")" = active ] && [ "$(main_pid "$1")" != "$2" ] && answers
}

# The processes of a unit, of the pod too.
processes_of() {
    find "/sys/fs/cgroup$(systemctl show --property=ControlGroup --value "$1")" \
        -name cgroup.procs -exec cat {} +
}

# Mounts of pods are not seen from outside, cgroups of ended ones are gone.
nothing_is_left() {
    [ -z "$(fairing ps --quiet)" ]
    [ -z "$(ls /run/fairing/pods 2> /dev/null)" ]
    # Pods' cgroups; those of units of that name go when systemd gets round to it.
    [ -z "$(find /sys/fs/cgroup -type d -name 'fairing-*' ! -name '*.service' -print -quit)" ]
    if grep -E ' /(var/lib|run)/fairing' /proc/self/mountinfo; then return 1; fi
}
