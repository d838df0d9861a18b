# For scripts that need a registry on loopback: sourced, not run.
# shellcheck shell=bash

# Starts docker-registry with its files in folder $1 and waits until it listens. Sets
# `registry_pid` and `registry` (HOST:PORT).
start_registry() {
    local folder=$1 port tries=0
    for port in $(seq 5000 5050); do
        registry_listens "$port" || break
    done
    cat > "$folder/registry.yml" << END
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $folder/registry}}
http: {addr: "127.0.0.1:$port", secret: loopback}
END
    docker-registry serve "$folder/registry.yml" > "$folder/registry.log" 2>&1 &
    registry_pid=$!
    registry=127.0.0.1:$port
    until registry_listens "$port"; do
        tries=$((tries + 1))
        if [ "$tries" -ge 200 ] || ! kill -0 "$registry_pid"; then
            cat "$folder/registry.log" >&2
            echo 'the registry does not start' >&2
            return 1
        fi
        sleep 0.05
    done
}

registry_listens() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

stop_registry() {
    [ -n "${registry_pid:-}" ] || return 0
    kill "$registry_pid" 2> /dev/null || true
    wait "$registry_pid" 2> /dev/null || true
    registry_pid=
}
