#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154,SC2016 # bats sets these; what a program is made of
# measure.sh with a benchmark that was made up, on machines that were made up.

setup()
{
	HERE=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	T=$BATS_TEST_TMPDIR
	cp -r "$HERE/vm/real" "$T/measure"
	arch=$(uname -m | sed 's/aarch64/arm64/')
	mkdir -p "$T/measure/bin/$arch" "$T/bin"
	echo "0123456789ab gcc" >"$T/measure/version"
	bench 'row p50 100'
	printf 'one quick 9\ntwo quick 9\nthree full 9\n' >"$T/measure/topics"
	# Nothing of it is waited for, and no counters.
	printf '#!/bin/sh\n[ "$1" = 1 ] || exec /bin/sleep "$@"\n' >"$T/bin/sleep"
	printf '#!/bin/sh\nexit 1\n' >"$T/bin/perf"
	chmod +x "$T/bin"/*
	PATH=$T/bin:$PATH
	cd "$T" || return
}

# bench LINE...: what write_upgrade_bench does; $2 is its topic
bench()
{
	{
		echo '#!/bin/sh'
		cat <<-'END'
		row()
		{
			printf '{"topic":"%s","case":"a","metric":"%s","unit":"ns",' "$topic" "$1"
			printf '"value":%s,"n":1,"good":"less","exact":false}\n' "$2"
		}
		topic=$2
		END
		printf '%s\n' "$@"
	} >"$T/measure/bin/$arch/write_upgrade_bench"
	chmod +x "$T/measure/bin/$arch/write_upgrade_bench"
}

# machine: /sys and /proc of a machine of which nothing spoils the times
machine()
{
	local cpu=$T/sys/devices/system/cpu

	export MEASURE_SYS=$T/sys MEASURE_PROC=$T/proc
	mkdir -p "$cpu"/cpu0/cpufreq "$cpu/cpuidle" "$T/sys/kernel/mm/ksm" "$T/proc/self" \
		 "$T/proc/sys/kernel" "$T/sys/kernel/mm/transparent_hugepage/hugepages-64kB" \
		 "$T/sys/devices/system/clocksource/clocksource0" "$T/sys/fs/cgroup"
	echo performance >"$cpu/cpu0/cpufreq/scaling_governor"
	echo acpi_idle >"$cpu/cpuidle/current_driver"
	echo 0 >"$T/sys/kernel/mm/ksm/run"
	echo 0 >"$T/proc/sys/kernel/numa_balancing"
	echo 'always [madvise] never' >"$T/sys/kernel/mm/transparent_hugepage/enabled"
	echo tsc >"$T/sys/devices/system/clocksource/clocksource0/current_clocksource"
	printf 'processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: A CPU\nflags\t\t: fpu\n\nprocessor\t: 1\n' >"$T/proc/cpuinfo"
	printf 'Cpus_allowed_list:\t0-1\n' >"$T/proc/self/status"
	printf 'MemTotal: 4194304 kB\nMemAvailable: 4194304 kB\n' >"$T/proc/meminfo"
	echo 'cpu 0 0 0 100 0 0 0 0' >"$T/proc/stat"
	echo 'CONFIG_HZ=250' | gzip >"$T/proc/config.gz"
}

measure() { run sh "$T/measure/measure.sh" --runs 2 -o "$T/out.json" "$@"; }
says() { [[ $output == *"$1"* ]] || { echo "$output"; false; }; }
of() { jq -c "$1" "$T/out.json"; }

@test "each run of each topic is in the result" {
	measure
	[ "$status" -eq 0 ]
	[ "$(of '[.results[] | [.run, .topic, .value]]')" = '[[1,"one",100],[1,"two",100],[2,"one",100],[2,"two",100]]' ]
	[ "$(of '[.format, .measured_with, .state, .runs]')" = '[1,"0123456789ab gcc","finished",2]' ]
	[ -z "$(find "$T" /dev/shm -name 'measure.*' -newer "$T/measure/version" ! -name 'measure.sh')" ]
}

@test "nothing says whose machine it is" {
	measure
	run grep -cF "$(uname -n)" "$T/out.json"
	[ "$output" = 0 ]
}

@test "of a machine that spoils no time nothing is said" {
	[ "$(id -u)" -eq 0 ] || skip "this is not root"
	[ "$arch" = x86_64 ] || skip "arm64 does not say whether it is a virtual machine"
	machine
	measure --check
	says "nothing that it looked for"
}

@test "what spoils times is named, each in a sentence" {
	machine
	echo powersave >"$T/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
	echo 1 >"$T/proc/sys/kernel/numa_balancing"
	echo 1 >"$T/sys/kernel/mm/ksm/run"
	echo '50000 100000' >"$T/sys/fs/cgroup/cpu.max"
	printf 'Cpus_allowed_list:\t1\n' >"$T/proc/self/status"
	printf 'MemTotal: 131072 kB\nMemAvailable: 65536 kB\n' >"$T/proc/meminfo"
	sed -i 's/: fpu/: fpu hypervisor invlpgb/' "$T/proc/cpuinfo"
	rm -r "$T/sys/kernel/mm/transparent_hugepage"
	echo 'CONFIG_DEBUG_VM=y' | gzip >"$T/proc/config.gz"
	measure --check
	[ "$status" -eq 0 ]
	for word in frequency numa_balancing ksm quota cpus memory virtual thp kernel; do
		says "  $word: "
	done
	[ "$arch" != x86_64 ] || says "  invlpgb: "
	says "one CPU only"
	[ ! -e "$T/out.json" ]
}

@test "without root it goes on" {
	[ "$(id -u)" -eq 0 ] || skip "this is not root"
	chmod 777 "$T" "$T/measure"
	chmod -R a+rX "$BATS_RUN_TMPDIR"
	run setpriv --reuid 65534 --regid 65534 --clear-groups \
		sh "$T/measure/measure.sh" --runs 1 -o "$T/out.json"
	[ "$status" -eq 0 ]
	says "root: not root"
	[ "$(of '.results | length')" = 2 ]
}

@test "a topic that fails, one that cannot be measured, and half a line: the rest goes on" {
	printf 'one quick 9\ntwo quick 9\nthree quick 9\n' >"$T/measure/topics"
	bench 'case $topic in one) row p50 1; printf "{half"; echo "no memory" >&2; exit 1 ;; two) exit 4 ;; esac' 'row p50 3'
	measure --runs 1
	[ "$status" -eq 0 ]
	[ "$(of '[.results[] | [.topic, .value // .skip]]')" = '[["one",1],["one","it failed: no memory"],["three",3]]' ]
}

@test "a topic that hangs is ended, what it had is kept" {
	printf 'one quick 1\ntwo quick 9\n' >"$T/measure/topics"
	bench 'row p50 1; [ $topic = two ] || /bin/sleep 60'
	measure --runs 1
	[ "$status" -eq 0 ]
	[ "$(of '[.results[] | [.topic, .value // .skip]]')" = '[["one",1],["one","it was not done in 1 seconds"],["two",1]]' ]
}

@test "what does not fit into the limit is left out, and named" {
	bench 'row p50 1; [ $topic = two ] || /bin/sleep 2'
	measure --limit 2
	[ "$status" -eq 0 ]
	[ "$(of '[.results[] | select(.topic == "two")]')" = '[{"run":1,"topic":"two","case":"all","skip":"no time was left for it"}]' ]
}

@test "an interrupted run keeps what it has" {
	bench 'row p50 1; [ $topic = one ] || /bin/sleep 60'
	sh "$T/measure/measure.sh" -o "$T/out.json" 2>"$T/log" 3>&- &
	pid=$!
	for _ in $(seq 100); do
		grep -q 'run 1: two' "$T/log" && break
		/bin/sleep 0.1
	done
	kill -TERM $pid
	rc=0
	wait $pid || rc=$?
	[ "$rc" -eq 130 ]
	grep -q '^interrupted: ' "$T/log"
	[ "$(of '[.state, [.results[].topic]]')" = '["interrupted",["one","two"]]' ] ||
	[ "$(of '[.state, [.results[].topic]]')" = '["interrupted",["one"]]' ]
}

@test "a disk that is full when it ends: the result is kept elsewhere, and named" {
	mkdir "$T/disk"
	bench 'row p50 1; [ $topic = one ] || { rm -rf "'"$T/disk"'"; touch "'"$T/disk"'"; }'
	run sh "$T/measure/measure.sh" --runs 1 -o "$T/disk/out.json"
	[ "$status" -eq 1 ]
	says "is the disk full? It goes on"
	kept=$(sed -n 's/.*the result is \([^:]*\): copy it.*/\1/p' <<<"$output")
	[ "$(jq -c '[.results[].topic]' "$kept")" = '["one","two"]' ]
	rm -r "${kept%/*}"
}

@test "what cannot be begun is refused in one sentence" {
	measure --limit soon
	[ "$output" = 'error: --limit takes a number, not "soon"' ]
	measure --limit
	[ "$output" = 'error: --limit takes a value' ]
	measure --fast
	[ "$output" = 'error: "--fast" is not an option: see --help' ]
	measure --topics four
	says "error: --topics four: there are one two three"
	echo old >"$T/out.json"
	measure
	says "is there already"
	[ "$(cat "$T/out.json")" = old ]
	rm "$T/out.json"
	run sh "$T/measure/measure.sh" -o "$T/none/out.json"
	[ "$status" -eq 1 ]
	says "error: $T/none/out.json cannot be written"
	mv "$T/measure/bin/$arch" "$T/measure/bin/vax"
	measure
	[ "$output" = "error: this archive is for vax, this machine is $arch" ]
}
