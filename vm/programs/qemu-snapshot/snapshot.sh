#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# snapshot.sh THREADS UNITS HEX: a machine of so many CPUs and pages that runs the
# program in HEX; when it has written to all of its memory, a snapshot is taken.
cpus=$1 pages=$2 hex=$3

# fail WHAT: nothing that was started goes on.
fail()
{
	echo "$*"
	kill "$qemu"
	exit 1
}

# expect WORD: what QEMU answers up to that.
expect()
{
	while read -r answer <&4; do
		case $answer in
		*"$1"*) return ;;
		*'"error"'* | *'"failed"'*) fail "$answer" ;;
		esac
	done
	fail "QEMU has ended"
}

# execute COMMAND [ARGUMENTS]: of its protocol.
execute() { echo "{ \"execute\": \"$1\", \"arguments\": { ${2:-} } }" >&3; }

# written ADDRESS: is anything there?
written()
{
	execute human-monitor-command "\"command-line\": \"xp /1gx $1\""
	expect '"return"'
	case $answer in
	*": 0x0000000000000000"*) return 1 ;;
	esac
}

program='' address=$((0x80000000))
while read -r word rest; do
	[ "$word" != "#" ] || continue
	program="$program -device loader,addr=$address,data=$word,data-len=4"
	address=$((address + 4))
done <"$hex"

rm -f tmp/commands tmp/answers
mkfifo tmp/commands tmp/answers
# shellcheck disable=SC2086 # a list of words
chroot . /usr/bin/qemu-system-riscv64 -M virt -smp "$cpus" -m $((pages * 4))k -bios none \
	-accel tcg,thread=multi,tb-size=16 -nodefaults -display none -qmp stdio $program \
	<tmp/commands >tmp/answers &
qemu=$!
exec 3>tmp/commands 4<tmp/answers

expect '"QMP"'
execute qmp_capabilities
expect '"return"'
execute migrate-set-capabilities '"capabilities": [
	{ "capability": "background-snapshot", "state": true },
	{ "capability": "events", "state": true } ]'
expect '"return"'
cpu=0
while [ "$cpu" -lt "$cpus" ]; do
	# The last page of this CPU, from the end; the word that the program counts in.
	until written $((0x80000000 + (pages - 1 - cpu) * 4096 + 8)); do sleep 0.1; done
	cpu=$((cpu + 1))
done
execute migrate '"uri": "file:/tmp/snapshot"'
expect '"completed"'
execute query-migrate
expect '"ram"'
saved=$(echo "$answer" | sed 's/.*"normal": \([0-9]*\).*/\1/')
# All but those around the program, which are empty.
[ "$saved" -ge $((pages - 16)) ] || fail "only $saved pages were saved"
execute quit
wait "$qemu"
