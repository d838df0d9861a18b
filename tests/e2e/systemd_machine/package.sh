# The Debian package, from its installation to its purge.

check_installation() {
    dpkg -i /media/test/packages/fairing_*.deb
    [ "$(stat -c %a:%U /var/lib/fairing)" = 700:root ]
    [ -d /etc/fairing/trust.d ]
    # Everything is there that this machine can have; rules are for its administrator to make.
    found=0
    fairing doctor --quiet > /tmp/doctor || found=$?
    equal "$found" 108
    equal "$(grep -c '' /tmp/doctor)" 1
    contains "$(cat /tmp/doctor)" 'rules of trust'
    man=/usr/share/man/man1/fairing-run.1.gz
    [ -s "$man" ]
}

check_signed_image_without_a_network() {
    contains "$(fairing image import oci:/media/test/images --name "$app" 2>&1)" 'is not trusted'
    fairing trust add --yes --prefix registry.example.com/team /media/test/team.pub
    fairing image import oci:/media/test/images --name "$app"
    equal "$(fairing run --rm "$app" --exec /bin/echo hello)" hello
    nothing_is_left
}

# systemd shares mounts with all namespaces that are not cut off.
check_mounts_of_pods_are_not_seen_outside() {
    cat /proc/self/mountinfo > /tmp/before
    mkdir -p /srv/volume/sub /srv/other
    for flags in '' --userns=host --read-only '--userns=host --ipc=host' \
        '--volume /srv/volume:/v --volume /srv/other:/v/sub' \
        "--mount type=image,source=$app,destination=/i --tmpfs /i/www" \
        '--tmpfs /t --volume named:/t/x' '--stage1=fly --net=host --userns=host'; do
        # While it runs, and then.
        fairing run --detach --name seen $flags "$app" --exec /bin/sleep -- 1000
        diff /tmp/before /proc/self/mountinfo
        fairing stop --force seen
        fairing rm seen
        diff /tmp/before /proc/self/mountinfo
    done
    fairing volume rm named
    nothing_is_left
}

check_units_that_clear() {
    systemctl is-active fairing-gc.timer
    equal "$(systemctl is-enabled fairing-gc.timer)" enabled
    equal "$(systemctl is-enabled fairing-image-gc.timer || true)" disabled
    equal "$(systemctl is-enabled fairing-update.timer || true)" disabled
    # No pod asks for anything.
    systemctl start fairing-update.service
    fairing run "$app" --exec /bin/true
    old=$(fairing list --all --quiet)
    date --set='+25 hours'
    fairing run "$app" --exec /bin/true
    systemctl start fairing-gc.service
    fairing list --all --quiet > /tmp/left
    cat /tmp/left
    equal "$(wc -l < /tmp/left)" 1
    if grep "$old" /tmp/left; then return 1; fi
    systemctl start fairing-image-gc.service
    fairing image list | grep "${app%:*}"
    fairing rm "$(cat /tmp/left)"
    date --set='+31 days'
    systemctl start fairing-image-gc.service
    equal "$(fairing image list --quiet)" ''
    # What they can't do was not done.
    if journalctl -u fairing-gc -u fairing-image-gc -u fairing-update -p warning --no-pager | grep 'fairing\['; then
        return 1
    fi
    fairing image import oci:/media/test/images --name "$app"
}

# What a killed pod left is cleared from within the unit's bounds: mounts, networks, cgroups.
check_units_that_clear_after_a_kill() {
    fairing run --detach --name killed --port 8080:80 "$app"
    await answers 8080
    init=$(number killed init-pid)
    kill -KILL "$(number killed monitor-pid)"
    await sh -c "! kill -0 $init"
    date --set='+25 hours'
    systemctl start fairing-gc.service
    nothing_is_left
    [ -z "$(find /run/fairing/cni/ports /var/lib/fairing/pods/run -mindepth 1)" ]
}

check_upgrade_while_a_pod_runs() {
    fairing run --detach --name kept --port 80:80 "$app"
    before=$(number kept monitor-pid)
    systemctl disable --now fairing-gc.timer
    dpkg -i /media/test/newer/fairing_*.deb
    equal "$(dpkg-query -W -f '${Version}' fairing)" "$(cat /media/test/newer/version)"
    equal "$(number kept monitor-pid)" "$before"
    answers
    fairing enter kept -- true
    # What an administrator has turned off stays so.
    equal "$(systemctl is-enabled fairing-gc.timer || true)" disabled
    systemctl enable --now fairing-gc.timer
}

check_removal() {
    contains "$(dpkg -r fairing 2>&1)" 'pods still run'
    hash -r
    if command -v fairing; then return 1; fi
    # Nobody is cut off.
    answers
    equal "$(systemctl is-active fairing-gc.timer || true)" inactive
    [ -e /etc/fairing/trust.d ]
    [ -n "$(ls /var/lib/fairing/images/refs)" ]
    dpkg -i /media/test/newer/fairing_*.deb
    fairing stop kept
    fairing rm kept
    systemctl is-active fairing-gc.timer
}

check_purge() {
    dpkg --purge fairing < /dev/null
    [ ! -e /etc/fairing ]
    [ -n "$(ls /var/lib/fairing/images/refs)" ]
    [ -z "$(find /etc /var/lib/systemd /usr -name '*fairing*')" ]
}

check_reinstallation() {
    dpkg -i /media/test/newer/fairing_*.deb
    equal "$(systemctl is-enabled fairing-gc.timer)" enabled
    # Images are there, and the rule is not.
    contains "$(fairing run --rm "$app" --exec /bin/true 2>&1)" 'is not trusted'
    fairing trust add --yes --prefix registry.example.com/team /media/test/team.pub
    equal "$(fairing run --rm "$app" --exec /bin/echo again)" again
    dpkg --purge fairing
}

no_loop_devices() {
    [ -z "$(losetup --list --noheadings)" ]
}

# As an immutable system has it: nothing of the package is there.
check_system_extension() {
    find /usr /etc | sort > /tmp/files
    mkdir -p /var/lib/extensions
    ln -s /media/test/packages/fairing.raw /var/lib/extensions/
    systemd-sysext merge
    systemctl daemon-reload
    systemctl start timers.target
    fairing trust add --yes --prefix registry.example.com/team /media/test/team.pub
    equal "$(fairing run --rm --port 8080:80 "$app" --exec /bin/echo merged)" merged
    systemctl is-active fairing-gc.timer
    systemctl start fairing-gc.service
    systemd-analyze verify --man=no fairing-gc.service fairing-gc.timer
    systemctl stop fairing-gc.timer
    systemd-sysext unmerge
    systemctl daemon-reload
    rm -r /var/lib/extensions /etc/fairing
    hash -r
    if command -v fairing; then return 1; fi
    find /usr /etc | sort | diff /tmp/files -
    if grep -E 'fairing|sysext' /proc/self/mountinfo; then return 1; fi
    # udevd has looked up the pod's network interface in a database below the merged /usr.
    systemctl restart systemd-udevd
    await no_loop_devices
}
