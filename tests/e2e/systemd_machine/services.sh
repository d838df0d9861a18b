# Services that were written from docs/services.md alone.

check_preparation() {
    dpkg -i /media/test/packages/fairing_*.deb
    fairing trust add --yes --prefix registry.example.com/team /media/test/team.pub
    fairing image import oci:/media/test/images --name "$app"
    cp /media/test/units/web.service /etc/systemd/system/
    systemd-analyze verify --man=no web.service
    systemctl daemon-reload
}

check_start() {
    systemctl enable --now web.service
    answers
    contains "$(journalctl -u web --no-pager)" 'Started web.service'
    # Its processes are the unit's, and so are its limits.
    for pid in $(processes_of web); do
        contains "$(cat "/proc/$pid/cgroup")" 0::/system.slice/web.service/
    done
    [ "$(processes_of web | wc -l)" -ge 3 ]
}

killed() {
    before=$(main_pid web)
    "$@"
    await came_back web "$before"
    systemctl reset-failed web
}

# The unit's only pod that runs.
pod() {
    fairing ps --quiet
}

check_killed_app() {
    httpd=$(pgrep -x httpd)
    killed kill -KILL "$httpd"
}

check_killed_pod_init() {
    killed kill -KILL "$(number "$(pod)" init-pid)"
}

check_killed_monitor() {
    killed kill -KILL "$(number "$(pod)" monitor-pid)"
}

check_killed_by_systemd() {
    killed systemctl kill --signal=KILL web
    equal "$(fairing ps --quiet | wc -l)" 1
}

inactive() {
    [ "$(systemctl is-active "$1")" = inactive ]
}

check_stop_and_start() {
    # A signal to all of its processes is a way to stop it, too.
    systemctl kill web
    await inactive web
    systemctl start web
    answers
    systemctl stop web
    inactive web
    if answers 2> /dev/null; then return 1; fi
    # What those left that were killed.
    fairing gc --grace-period=0s
    nothing_is_left
    systemctl start web
    await answers
}

registered() {
    machinectl list --no-legend | grep -qw web
}

check_registration_with_machined() {
    await registered
    equal "$(machinectl show --property=Unit --value web)" web.service
    equal "$(machinectl show --property=Leader --value web)" "$(number web init-pid)"
    systemctl stop web
    if registered; then return 1; fi
    systemctl start web
}

check_output_in_the_journal() {
    systemd-run --wait --unit=said --property=Delegate=yes \
        fairing run --rm "$app" --exec /bin/echo -- said by a pod
    journalctl --sync
    contains "$(journalctl -u said -o cat --no-pager)" 'said by a pod'
    systemd-run --wait --unit=fields --property=Delegate=yes \
        fairing run --rm --log-driver=journald --name fields "$app" --app-name one \
        --exec /bin/sh -- -c 'echo fine; echo "<4>careful"; echo bad >&2'
    journalctl --sync
    journalctl FAIRING_APP=one -o export --no-pager > /tmp/entries
    cat /tmp/entries
    for line in MESSAGE=fine PRIORITY=6 MESSAGE=careful PRIORITY=4 MESSAGE=bad PRIORITY=3 \
        CONTAINER_NAME=fields SYSLOG_IDENTIFIER=fields FAIRING_STREAM=stderr \
        "IMAGE_NAME=$app" _SYSTEMD_UNIT=fields.service; do
        grep -qxF "$line" /tmp/entries
    done
}

# What the service manager hands over, and who sees it.
check_credentials() {
    printf secret > /etc/password
    found=$(systemd-run --wait --pipe --quiet --unit=credentials --property=Delegate=yes \
        --property=LoadCredential=password:/etc/password --property=SetCredential=key:private \
        fairing run --rm "$app" --user 7 --exec /bin/sh -- -c \
        'id -u; ls $CREDENTIALS_DIRECTORY; cat /run/credentials/*; touch /run/credentials/x || echo kept')
    equal "$found" "$(printf '7\nkey\npassword\nprivatesecretkept')"
    # Only one of them.
    found=$(systemd-run --wait --pipe --quiet --unit=credentials --property=Delegate=yes \
        --property=LoadCredential=password:/etc/password --property=SetCredential=key:private \
        fairing run --rm "$app" --credential key --exec /bin/ls -- /run/credentials)
    equal "$found" key
    if grep -r secret /var/lib/fairing/pods /run/fairing; then return 1; fi
    rm /etc/password
}

# The timer is off; once it is on, it has a next time, and what it starts succeeds.
check_timer_of_updates() {
    systemctl enable --now fairing-update.timer
    [ -n "$(systemctl show --property=NextElapseUSecRealtime --value fairing-update.timer)" ]
    systemctl start fairing-update.service
    equal "$(systemctl show --property=Result --value fairing-update.service)" success
    answers
    systemctl disable --now fairing-update.timer
}

check_limits_of_the_unit() {
    found=0
    systemd-run --wait --unit=small --property=Delegate=yes --property=MemoryMax=48M \
        --property=MemorySwapMax=0 \
        fairing run --name small "$app" --exec /bin/tail -- /dev/zero || found=$?
    equal "$found" 137
    fairing status --format json small > /tmp/status
    cat /tmp/status
    contains "$(cat /tmp/status)" '"signal": 9'
    fairing rm small
    # A slice above it as well.
    systemd-run --unit=below --slice=tight.slice --property=Delegate=yes \
        fairing run --rm --name below "$app" --exec /bin/sleep -- 1000
    systemctl set-property --runtime tight.slice TasksMax=64
    await fairing enter below -- true
    fairing enter below -- cat /proc/self/cgroup > /tmp/cgroup
    [ -d /sys/fs/cgroup/tight.slice/below.service/fairing-"$(number_of_pod below)" ]
    systemctl stop below
}

number_of_pod() {
    fairing status --format json "$1" | sed -n 's/.*"uuid": *"\([^"]*\)".*/\1/p' | head -n 1
}

check_up_after_a_reboot() {
    await answers
    # It was stopped in order.
    contains "$(journalctl -b -1 -u web -o cat --no-pager)" 'Stopped web.service'
    equal "$(fairing ps --quiet | wc -l)" 1
}

check_up_after_a_loss_of_power() {
    await answers
    equal "$(fairing ps --quiet | wc -l)" 1
    fairing gc --grace-period=0s
    equal "$(ls /var/lib/fairing/pods/run | wc -l)" 1
}

check_end() {
    systemctl disable --now web
    nothing_is_left
}
