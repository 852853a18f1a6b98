#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# save.sh THREADS UNITS: a server with 20000 keys that saves them UNITS times, first
# without and then with huge pages.
keys=20000

redis() { chroot . /usr/bin/redis-cli -s /tmp/redis.sock "$@"; }
faults() { awk '{ print $10 }' "/proc/$server/stat"; }
info() { redis info persistence | tr -d '\r' | sed -n "s/^$1://p"; }

fail()
{
	echo "$*"
	kill "$server"
	exit 1
}

# change STEP: every so many keys.
change()
{
	[ "$(redis eval "local n = 0
		for i = 0, $((keys - 1)), $1 do
			redis.call('SETRANGE', 'key:' .. i, 100, 'changed'); n = n + 1
		end
		return n" 0)" = $((keys / $1)) ] || fail "not all keys could be changed"
}

save()
{
	redis bgsave >/dev/null
	change 100
	while [ "$(info rdb_bgsave_in_progress)" != 0 ]; do sleep 0.2; done
	[ "$(info rdb_last_bgsave_status) $(info rdb_saves)" = "ok $1" ] || fail "save $1 has failed"
	before=$(faults)
	change 1
	total=$((total + $(faults) - before))
}

# serve NAME SAVES OPTION...: with these options of the server.
serve()
{
	name=$1 saves=$2 total=0
	shift 2
	rm -f ./tmp/redis.sock
	chroot . /usr/bin/redis-server --port 0 --unixsocket /tmp/redis.sock --dir /tmp \
		--save '' --enable-debug-command yes "$@" >tmp/redis.log &
	server=$!
	until [ "$(redis ping 2>&1)" = PONG ]; do
		kill -0 "$server" || exit 1
		sleep 0.2
	done
	redis debug populate $keys key 1000 >/dev/null
	n=0
	while [ $n -lt "$saves" ]; do
		n=$((n + 1))
		save $n
	done
	chroot . /usr/bin/redis-check-rdb /tmp/dump.rdb | grep -q " $keys keys read" ||
		fail "not all keys were saved"
	redis shutdown nosave
	wait "$server"
	echo "count write_faults_$name $total"
}

serve 4k "$2"
export MALLOC_CONF=thp:always
serve thp "$2" --disable-thp no # do not turn them off for the whole process
