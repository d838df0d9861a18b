# Networks, seen from the host, from pods and from a computer outside.

busybox=localhost/images:busybox
# Tools are called by their paths: the shell takes its own wherever PATH leads.
host_v4=192.0.2.1 host_v6=2001:db8::1 outside_v4=192.0.2.2 outside_v6=2001:db8::2

# Starts a pod that answers at port 80 with its name and who asks.
server() {
    name=$1
    shift
    fairing run --detach --name "$name" "$@" "$busybox" --exec /bin/sh -- \
        -c "printf '#!/bin/sh\necho; echo $name \$REMOTE_ADDR\n' > /tmp/who; mkdir -p /tmp/cgi-bin
            mv /tmp/who /tmp/cgi-bin/; chmod 755 /tmp/cgi-bin/who; exec httpd -f -p '[::]:80' -h /tmp" > /dev/null
    await answered "$(address "$name" 4)" 80
}

# The pod's address of a family.
address() {
    case $2 in 4) digits='[0-9.]*' ;; 6) digits='[0-9a-f]*:[0-9a-f:]*' ;; esac
    fairing status "$1" --format json | sed -n "s,.*\"address\": *\"\($digits\)/.*,\1,p" | head -n 1
}

# Asks a server, and waits for so many seconds; the answer's last line, or nothing.
ask='printf "GET /cgi-bin/who HTTP/1.0\r\n\r\n" | nc -w "${2:-30}" "$0" "$1" | tail -n 1'

answered() {
    [ -n "$(sh -c "$ask" "$1" "$2")" ]
}

# As `ask`, in a pod of a network.
ask_from() {
    network=$1
    shift
    fairing run --rm --net="$network" "$busybox" --exec /bin/sh -- -c "$ask" "$@" 2> /dev/null
}

# Who asked last is in the answer after the server's name: no address of a pod's network.
answers_as() {
    equal "$(echo "$1" | sed 's/::ffff://; s/[][]//g')" "$2"
}

more_of_failure() {
    nft list ruleset
}

traces() {
    /usr/sbin/ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/'
    nft list ruleset
    # Locks stay; folders are made as they are needed.
    [ ! -d /run/fairing/cni ] || find /run/fairing/cni ! -type d ! -path '*/locks/*' ! -name '*.lock'
}

check_pods_reach_each_other_by_address_and_name() {
    server web
    server api
    for ip in 4 6; do
        answer=$(ask_from default "$(address web "$ip")" 80)
        equal "${answer%% *}" web
    done
    answer=$(fairing enter api -- /bin/sh -c "$ask" web 80)
    equal "${answer%% *}" web
}

check_published_ports_lead_to_the_pod() {
    server web --port 8080:80
    gateway=$(/usr/sbin/ip -4 -o addr show fairing0 | sed 's/.*inet \([0-9.]*\).*/\1/')
    for to in 127.0.0.1 "$host_v4" "$host_v6" "$gateway"; do
        answer=$(sh -c "$ask" "$to" 8080)
        equal "${answer%% *}" web
    done
    for to in "$host_v4" "$host_v6"; do
        answer=$(nsenter -t "$outside" -n sh -c "$ask" "$to" 8080)
        equal "${answer%% *}" web
        # From a pod, and from the pod itself.
        answer=$(ask_from default "$to" 8080)
        equal "${answer%% *}" web
        answer=$(fairing enter web -- /bin/sh -c "$ask" "$to" 8080)
        equal "${answer%% *}" web
    done
}

check_the_outside_is_reached_under_the_hosts_address() {
    answers_as "$(ask_from default "$outside_v4" 80)" "outside $host_v4"
    answers_as "$(ask_from default "$outside_v6" 80)" "outside $host_v6"
    answers_as "$(ask_from ptp "$outside_v4" 80)" "outside $host_v4"
    answers_as "$(ask_from ptp "$outside_v6" 80)" "outside $host_v6"
}

# Forwarding of IPv6 is for all interfaces here, which makes the host a router; one that isn't told
# so no longer listens to others.
check_the_host_goes_on_listening_to_its_routers() {
    equal "$(cat /proc/sys/net/ipv6/conf/all/forwarding)" 1
    equal "$(cat /proc/sys/net/ipv6/conf/uplink/accept_ra)" 2
    server web
    equal "$(cat /proc/sys/net/ipv6/conf/fairing0/accept_ra)" 0
}

check_networks_are_apart() {
    fairing network create other
    server web --net=other
    for ip in 4 6; do
        server=$(address web "$ip")
        answer=$(ask_from other "$server" 80)
        equal "${answer%% *}" web
        for network in default ptp default-restricted; do
            equal "$(ask_from "$network" "$server" 80 1)" ''
        done
    done
    fairing stop --force web
    fairing gc --grace-period=0s
    fairing network rm other
}

check_restricted_pods_stay_inside() {
    server web --net=default-restricted
    for ip in 4 6; do
        answer=$(ask_from default-restricted "$(address web "$ip")" 80)
        equal "${answer%% *}" web
    done
    equal "$(ask_from default-restricted "$outside_v4" 80 1)" ''
    equal "$(ask_from default-restricted "$outside_v6" 80 1)" ''
}

check_bandwidth_is_limited() {
    server web --bandwidth=in=8mbit,out=4mbit
    # It asks the kernel whether both limits are there.
    fairing status web > /tmp/status
    grep bandwidth /tmp/status
    if grep -i fail /tmp/status; then return 1; fi
}

check_what_was_killed_is_cleared() {
    traces > /tmp/before
    for number in 1 2 3; do
        server "web$number" --port "808$number:80"
        kill -9 "$(fairing status "web$number" --format json | sed -n 's/.*"monitor-pid": *\([0-9]*\).*/\1/p')"
    done
    traces > /tmp/held
    grep '/leases/' /tmp/held
    grep '/results/' /tmp/held
    grep '. 8081 comment' /tmp/held
    fairing gc --grace-period=0s
    await same_traces
}

same_traces() {
    traces | cmp - /tmp/before
}

check_nothing_is_left() {
    fairing network gc
    equal "$(traces)" "$(cat /tmp/at-start)"
}

cat /proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables
# A computer outside, which knows no way to any pod.
unshare -n sleep 1000 &
outside=$!
until [ "$(readlink "/proc/$outside/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do usleep 10000; done
/usr/sbin/ip link add uplink type veth peer name eth0 netns "$outside"
/usr/sbin/ip addr add "$host_v4/24" dev uplink
/usr/sbin/ip addr add "$host_v6/64" dev uplink nodad
/usr/sbin/ip link set uplink up
nsenter -t "$outside" -n sh -c "/usr/sbin/ip link set lo up; /usr/sbin/ip addr add $outside_v4/24 dev eth0
    /usr/sbin/ip addr add $outside_v6/64 dev eth0 nodad; /usr/sbin/ip link set eth0 up"
/usr/sbin/ip route add default via "$outside_v4"
/usr/sbin/ip -6 route add default via "$outside_v6"
mkdir -p /www/cgi-bin
printf '#!/bin/sh\necho; echo outside $REMOTE_ADDR\n' > /www/cgi-bin/who
chmod 755 /www/cgi-bin/who
nsenter -t "$outside" -n httpd -f -p '[::]:80' -h /www &
fairing fetch "oci:/images:busybox" > /tmp/fetched 2>&1 || cat /tmp/fetched
traces > /tmp/at-start
