#!/usr/bin/env bash
# Run a command with a CUDA device of its own: bash on_device.sh 0,1 COMMAND...
# Of several that are started at the same time each gets a device that no other one has, or waits until one is free.
# With "none" the command runs with what the caller gives it, as on a cluster, which hands out devices itself.
set -euo pipefail
devices="$1"
shift
if [ "$devices" = none ]; then exec "$@"; fi
locks="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/done"
mkdir -p "$locks"
while true; do
    for device in ${devices//,/ }; do
        exec {lock}>"$locks/.lock-device-$device"
        if flock --nonblock "$lock"; then # held until the command ends, however it ends
            export CUDA_VISIBLE_DEVICES="$device"
            exec "$@"
        fi
        exec {lock}>&-
    done
    sleep 0.2
done
