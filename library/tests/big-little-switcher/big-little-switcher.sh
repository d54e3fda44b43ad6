#!/bin/sh
# The switcher's two files: /sys/kernel/bL_switcher/active holds 0 or 1; /dev/b.L_switcher (CONFIG_BL_SWITCHER_DUMMY_IF)
# takes "CPU,CLUSTER", exactly three characters, and refuses a cluster that is neither 0 nor 1 (arch/arm/common/bL_switcher*.c).
# Each result is recorded as it comes: a switch that hangs must not take those before it along.
rounds=$1
sysfs=${2:-/sys}
active=$sysfs/kernel/bL_switcher/active
device=${3:-/dev}/b.L_switcher
cpus=$sysfs/devices/system/cpu
cases="switcher-is-active disable-and-enable move-to-little move-to-big move-back-and-forth refuses-unknown-cluster"

skip() {
	echo "skipped: $1"
	shift
	for name in "$@"; do
		lava-test-case "$name" --result skip
	done
}

record() {
	if [ "$2" -eq 0 ]; then
		lava-test-case "$1" --result pass
	else
		lava-test-case "$1" --result fail
	fi
}

set_active() {
	echo "$1" > "$active" && [ "$(cat "$active")" = "$1" ]
}

# Moves every logical CPU that is online to a cluster.
move_all() {
	for cpu in "$cpus"/cpu[0-9]*; do
		[ "$(cat "$cpu/online" 2> /dev/null || echo 1)" = 1 ] || continue
		printf '%s,%s' "${cpu##*cpu}" "$1" > "$device" || return 1
	done
}

if [ ! -e "$active" ]; then
	# shellcheck disable=SC2086
	skip "there is no $active: the kernel has no in-kernel switcher (CONFIG_BL_SWITCHER), or the machine no two clusters" $cases
	exit 0
fi

set_active 1
record switcher-is-active $?

round=0
status=0
while [ "$round" -lt "$rounds" ] && [ "$status" -eq 0 ]; do
	set_active 0 && set_active 1
	status=$?
	round=$((round + 1))
done
[ "$status" -eq 0 ] || echo "round $round: $active did not take the value"
record disable-and-enable "$status"

if [ ! -e "$device" ]; then
	skip "there is no $device: the kernel has no CONFIG_BL_SWITCHER_DUMMY_IF" \
		move-to-little move-to-big move-back-and-forth refuses-unknown-cluster
	exit 0
fi

move_all 1
record move-to-little $?
move_all 0
record move-to-big $?

round=0
status=0
while [ "$round" -lt "$rounds" ] && [ "$status" -eq 0 ]; do
	move_all 1 && move_all 0
	status=$?
	round=$((round + 1))
done
record move-back-and-forth "$status"

if [ -c "$device" ]; then
	if printf '0,2' > "$device" 2> /dev/null; then record refuses-unknown-cluster 1; else record refuses-unknown-cluster 0; fi
else
	skip "$device is no device, so it cannot refuse" refuses-unknown-cluster
fi
