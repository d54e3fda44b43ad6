#!/bin/sh
# Takes each CPU away and brings it back, as often as said, and records each as soon as it is done.
rounds=$1
root=${SYSFS:-/sys}/devices/system/cpu
found=no

for cpu in "$root"/cpu[0-9]*; do
	name=${cpu##*/}
	# The first has no such file where it must stay.
	[ -w "$cpu/online" ] || continue
	found=yes
	result=pass
	round=0
	while [ "$round" -lt "$rounds" ] && [ "$result" = pass ]; do
		for state in 0 1; do
			echo "$state" > "$cpu/online" || result=fail
			if [ "$(cat "$cpu/online")" != "$state" ]; then
				echo "$name is not $state after it was told to be"
				result=fail
			fi
		done
		round=$((round + 1))
	done
	lava-test-case "hotplug-$name" --result "$result"
done
if [ "$found" = no ]; then
	echo "no CPU can be taken away: one CPU only, or a kernel without CONFIG_HOTPLUG_CPU"
	lava-test-case hotplug --result skip
fi
