# A kubelet's sandboxes on a machine that systemd manages.

slice=kubepods-burstable-pod01_23.slice
parent=/kubepods.slice/kubepods-burstable.slice/$slice

# Asks the shim; the request comes by standard input.
cri() {
    /media/test/cri-client /run/fairing/cri.sock "$1"
}

# A field of an answer.
field() {
    sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

# Makes a sandbox of this name, with this parent of its cgroup.
sandbox() {
    cri run_pod_sandbox << EOF | field pod_sandbox_id
{"config": {"metadata": {"name": "$1", "uid": "1", "namespace": "default"},
    "log_directory": "/var/log/pods", "linux": {"cgroup_parent": "$2"}}}
EOF
}

# What a command in the container writes.
execute() {
    cri exec_sync << EOF > /tmp/answer
{"container_id": "$(cat /tmp/container)", "cmd": ["/bin/sh", "-c", "$1"], "timeout": 30}
EOF
    # Bytes, as numbers.
    sed 's/.*"stdout":\[\([^]]*\)\].*/\1/' /tmp/answer | tr , '\n' |
        while read -r byte; do printf "\\$(printf %o "$byte")"; done
}

state() {
    echo "{\"container_id\": \"$(cat /tmp/container)\"}" | cri container_status |
        sed 's/.*"state":\([0-9]\).*/\1/'
}

remove() {
    echo "{\"pod_sandbox_id\": \"$1\"}" | cri remove_pod_sandbox
}

# The scope of the first sandbox.
scope() {
    basename "$(ls -d /sys/fs/cgroup$parent/fairing-*.scope)"
}

processes_of_scope() {
    processes_of "$(scope)" | sort -n
}

check_preparation() {
    dpkg -i /media/test/packages/fairing_*.deb
    fairing trust add --yes --prefix registry.example.com/team /media/test/team.pub
    fairing image import oci:/media/test/images --name "$app"
    mkdir -p /etc/fairing/config.d /var/log/pods
    printf '[cri]\nnetwork = "none"\n' > /etc/fairing/config.d/cri.toml
    systemctl enable --now fairing-cri.socket fairing-cri.service
    equal "$(systemctl is-active fairing-cri.service)" active
    contains "$(cri runtime_config < /dev/null)" '"cgroup_driver":0'
    contains "$(cri status < /dev/null)" '"RuntimeReady"'
}

check_scope_in_the_slice_of_the_kubelet() {
    sandbox web "$parent" > /tmp/sandbox
    [ -s /tmp/sandbox ]
    equal "$(systemctl is-active "$(scope)")" active
    equal "$(systemctl show --property=Slice --value "$(scope)")" "$slice"
    equal "$(systemctl show --property=Delegate --value "$(scope)")" yes
    # The monitor and pod init; the shim is alone in its service.
    [ "$(processes_of_scope | wc -l)" -ge 2 ]
    equal "$(processes_of fairing-cri.service)" "$(main_pid fairing-cri)"
}

check_container_below_the_scope() {
    cri create_container << EOF | field container_id > /tmp/container
{"pod_sandbox_id": "$(cat /tmp/sandbox)", "config": {"metadata": {"name": "httpd"},
    "image": {"image": "$app"}, "log_path": "httpd.log",
    "linux": {"resources": {"memory_limit_in_bytes": 67108864}}}}
EOF
    echo "{\"container_id\": \"$(cat /tmp/container)\"}" | cri start_container
    equal "$(state)" 1
    pid=$(pgrep -x httpd)
    cgroup=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
    case $cgroup in "$parent/$(scope)/"*) ;; *) return 1 ;; esac
    equal "$(cat "/sys/fs/cgroup$cgroup/memory.max")" 67108864
    equal "$(execute 'echo it runs')" 'it runs'
}

check_descriptors_of_containers() {
    equal "$(execute 'ulimit -Sn; ulimit -Hn')" "$(printf '1024\n1048576')"
    contains "$(cat "/proc/$(pgrep -x httpd)/limits")" 'Max open files            1024'
    contains "$(cat "/proc/$(main_pid fairing-cri)/limits")" 'Max open files            1048576'
}

# The cgroup of the web server, as a directory.
server_cgroup() {
    echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(pgrep -x httpd)/cgroup")"
}

check_limits_that_change() {
    cri update_container_resources << EOF
{"container_id": "$(cat /tmp/container)", "linux": {"memory_limit_in_bytes": 134217728,
    "cpu_quota": 50000, "cpu_period": 100000, "cpu_shares": 2048,
    "unified": {"memory.high": "100663296"}}}
EOF
    cgroup=$(server_cgroup)
    equal "$(cat "$cgroup/memory.max")" 134217728
    equal "$(cat "$cgroup/memory.high")" 100663296
    equal "$(cat "$cgroup/cpu.max")" '50000 100000'
    equal "$(cat "$cgroup/cpu.weight")" 174
    told=$(echo "{\"container_id\": \"$(cat /tmp/container)\"}" | cri container_status)
    contains "$told" '"memory_limit_in_bytes":134217728'
    contains "$told" '"cpu_quota":50000'
}

# A number of an answer is more than nothing.
counted() {
    [ "$(sed -n "s/.*\"$1\":{\"value\":\([0-9]*\)}.*/\1/p" /tmp/answer | head -n 1)" -gt 0 ]
}

check_figures() {
    echo "{\"container_id\": \"$(cat /tmp/container)\"}" | cri container_stats > /tmp/answer
    counted working_set_bytes
    counted usage_core_nano_seconds
    echo "{\"pod_sandbox_id\": \"$(cat /tmp/sandbox)\"}" | cri pod_sandbox_stats > /tmp/answer
    counted working_set_bytes
    counted process_count
    contains "$(cri list_pod_sandbox_metrics < /dev/null)" container_memory_working_set_bytes
}

# Has a container of the first sandbox run: its name, what a shell does in it, and more fields of `linux`.
another() {
    cri create_container << EOF | field container_id > /tmp/another
{"pod_sandbox_id": "$(cat /tmp/sandbox)", "config": {"metadata": {"name": "$1"},
    "image": {"image": "$app"}, "command": ["/bin/sh", "-c", "$2"], "linux": {$3}},
    "sandbox_config": {"linux": {"security_context": {"privileged": true}}}}
EOF
    echo "{\"container_id\": \"$(cat /tmp/another)\"}" | cri start_container
}

of_another() {
    echo "{\"container_id\": \"$(cat /tmp/another)\"}" | cri "$1"
}

another_has_ended() {
    of_another container_status > /tmp/answer
    grep -q '"state":2' /tmp/answer
}

check_out_of_memory() {
    another greedy 'exec tail /dev/zero' '"resources": {"memory_limit_in_bytes": 16777216}'
    await another_has_ended
    contains "$(cat /tmp/answer)" '"reason":"OOMKilled"'
    contains "$(cat /tmp/answer)" '"exit_code":137'
    of_another remove_container
}

# As kubelets ask it of containers by default: one process too many ends them all.
check_out_of_memory_of_a_child() {
    another parent 'tail /dev/zero; exec sleep 1000' \
        '"resources": {"memory_limit_in_bytes": 16777216, "unified": {"memory.oom.group": "1"}}'
    await another_has_ended
    contains "$(cat /tmp/answer)" '"reason":"OOMKilled"'
    of_another remove_container
}

has_inner_cgroup() {
    [ -n "$(find "/sys/fs/cgroup$parent/$(scope)" -type d -name inner)" ]
}

check_privileged_container() {
    another mighty 'mkdir /sys/fs/cgroup/inner && exec sleep 1000' \
        '"security_context": {"privileged": true}'
    await has_inner_cgroup
    of_another container_status > /tmp/answer
    contains "$(cat /tmp/answer)" '"state":1'
    of_another stop_container
    of_another remove_container
}

# Nobody of the pod has noticed anything, and the shim knows all of it.
goes_on() {
    equal "$(processes_of_scope)" "$(cat /tmp/processes)"
    equal "$(state)" 1
    contains "$(cri list_pod_sandbox < /dev/null)" "$(cat /tmp/sandbox)"
    equal "$(execute 'echo it runs')" 'it runs'
}

check_restart_of_the_shim() {
    processes_of_scope > /tmp/processes
    before=$(main_pid fairing-cri)
    systemctl restart fairing-cri
    [ "$(main_pid fairing-cri)" != "$before" ]
    goes_on
    systemctl stop fairing-cri.socket fairing-cri.service
    equal "$(processes_of_scope)" "$(cat /tmp/processes)"
    systemctl start fairing-cri.socket fairing-cri.service
    goes_on
    if journalctl -u fairing-cri --no-pager | grep 'remains running'; then return 1; fi
}

another_shim() {
    pid=$(main_pid fairing-cri)
    [ "$pid" != 0 ] && [ "$pid" != "$1" ] && cri version < /dev/null
}

check_kill_of_the_shim() {
    before=$(main_pid fairing-cri)
    kill -KILL "$before"
    await another_shim "$before"
    goes_on
}

check_sandbox_without_a_parent() {
    other=$(sandbox other '')
    found=$(find /sys/fs/cgroup/system.slice -maxdepth 1 -name 'fairing-*.scope')
    equal "$(systemctl show --property=Slice --value "$(basename "$found")")" system.slice
    remove "$other"
    await [ ! -e "$found" ]
}

# One that doesn't ask, and was configured otherwise.
check_kubelet_with_the_driver_cgroupfs() {
    other=$(sandbox other /kubepods/burstable/pod7)
    contains "$(ls /sys/fs/cgroup/kubepods/burstable/pod7)" fairing-
    remove "$other"
    rmdir /sys/fs/cgroup/kubepods/burstable/pod7 /sys/fs/cgroup/kubepods/burstable \
        /sys/fs/cgroup/kubepods
}

check_driver_that_is_configured() {
    for driver in cgroupfs systemd; do
        printf '[cri]\nnetwork = "none"\ncgroup-driver = "%s"\n' "$driver" \
            > /etc/fairing/config.d/cri.toml
        systemctl restart fairing-cri
        case $driver in cgroupfs) number=1 ;; *) number=0 ;; esac
        contains "$(cri runtime_config < /dev/null)" "\"cgroup_driver\":$number"
    done
    refused=$(sandbox refused /kubepods/burstable/pod7 2>&1)
    contains "$refused" 'config.linux.cgroup_parent: '
    contains "$refused" 'not the name of a slice'
    goes_on
}

check_removal() {
    left=$(scope)
    remove "$(cat /tmp/sandbox)"
    await sh -c "! systemctl is-active $left"
    await [ ! -e "/sys/fs/cgroup$parent/$left" ]
    systemctl disable --now fairing-cri.service fairing-cri.socket
    nothing_is_left
}
