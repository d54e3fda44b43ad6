#!/bin/sh
# Runs the program for this machine and records each line as it comes.
elements=$1
iterations=$2
here=$(dirname "$0")

case $(uname -m) in
armv7* | armv8l) program=$here/stream-armhf ;;
aarch64) program=$here/stream-arm64 ;;
*) program=$here/stream-$(uname -m) ;;
esac
if [ ! -x "$program" ]; then
	echo "there is no $program for $(uname -m): cargo xtask tests builds it"
	for name in copy scale add triad; do
		lava-test-case "$name" --result skip
	done
	exit 0
fi

"$program" "$elements" "$iterations" | while IFS= read -r line; do
	echo "$line"
	name=${line%%: *}
	value=${line#*: }
	case $line in
	array-size:*) lava-test-case array-size --result pass --measurement "${value%% *}" --units elements ;;
	copy:* | scale:* | add:* | triad:*)
		lava-test-case "$name" --result pass --measurement "${value% MB/s}" --units MB/s
		;;
	"check: right") lava-test-case check --result pass ;;
	check:*) lava-test-case check --result fail ;;
	esac
done
