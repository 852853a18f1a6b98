#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# measure.sh [OPTION...]: what do protection upgrades cost on this machine, with the
# kernel that runs? Wants nothing but a shell and the usual small programs. Changes
# nothing that it does not change back.
#   -o FILE          the result (default: measured-KERNEL.json)
#   --limit SECONDS  when to end (default: 240, full: 1800)
#   --runs N         how often at most (default: 10); runs that do not fit are left out
#   --full           all topics, see the file "topics"
#   --topics A,B     only these
#   --label TEXT     is put into the result, such as "base" or "patched"
#   --check          only look at the machine
# Each topic's result is in FILE as soon as it is there.
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd) || exit 1
FORMAT=1 out='' limit='' runs=10 set=quick only='' label='' check=no
sys=${MEASURE_SYS:-/sys} proc=${MEASURE_PROC:-/proc} # for the tests

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
number()
{
	case $2 in
	'' | *[!0-9]* | ??????????*) die "$1 takes a number, not \"$2\"" ;;
	esac
}

while [ $# -gt 0 ]; do
	case $1 in
	-o | --limit | --runs | --topics | --label)
		[ $# -gt 1 ] || die "$1 takes a value" ;;
	esac
	case $1 in
	-o)	out=$2; shift ;;
	--limit) number "$1" "$2"; limit=$2; shift ;;
	--runs)	number "$1" "$2"; runs=$2; shift ;;
	--topics) only=$2; shift ;;
	--label) label=$2; shift ;;
	--full)	set=full ;;
	--check) check=only ;;
	-h | --help) sed -n '3,/^# Each/s/^# //p' "$0"; exit 0 ;;
	*)	die "\"$1\" is not an option: see --help" ;;
	esac
	shift
done
[ -n "$limit" ] || { limit=240; [ "$set" = quick ] || limit=1800; }
: "${out:=measured-$(uname -r).json}"

arch=$(uname -m | sed 's/aarch64/arm64/')
bench=$here/bin/$arch/write_upgrade_bench
[ -x "$bench" ] || die "this archive is for $(ls "$here/bin"), this machine is $arch"
[ ! -e "$out" ] || [ "$check" = only ] || die "$out is there already: move it away, or name another file with -o"

# JSON

quote() { printf '%s' "$1" | tr -d '\000-\037' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g'; }
# field NAME VALUE: text, or a number, or nothing if there is no value
field()
{
	case $2 in
	'')	;;
	*[!0-9]* | 0?*) printf '"%s":"%s",' "$1" "$(quote "$2")" ;;
	*)	printf '"%s":%s,' "$1" "$2" ;;
	esac
}
first() { head -n 1 "$1" 2>/dev/null; }
chosen() { sed -n 's/.*\[\([^]]*\)\].*/\1/p' "$1" 2>/dev/null; }
info() { sed -n "s/^$1[[:space:]]*: //p" "$proc/cpuinfo" 2>/dev/null | head -n 1; }
# each FILE...: what these say, each value once
each() { cat "$@" 2>/dev/null | sort | uniq | tr '\n' ' ' | sed 's/ $//'; }

# Results are kept where there is most likely space, and copied to $out.
for dir in /dev/shm "${TMPDIR:-/tmp}" .; do
	[ -d "$dir" ] && [ -w "$dir" ] && work=$(mktemp -d "$dir/measure.XXXXXX" 2>/dev/null) &&
		head -c 4000000 /dev/zero >"$work/probe" 2>/dev/null && rm "$work/probe" && break
	[ -z "$work" ] || rm -rf "$work"
	work=''
done
[ -n "$work" ] || die "there is no space for the results in /dev/shm, ${TMPDIR:-/tmp} or here: free 4 MB"
: >"$work/lines"
: >"$work/checks"
: >"$work/settings"

# Checks: each is fine, or something that could not be excluded.

fine() { printf '{"check":"%s","fine":true,"says":"%s"}\n' "$1" "$(quote "$2")" >>"$work/checks"; }
doubt()
{
	printf '{"check":"%s","fine":false,"says":"%s"}\n' "$1" "$(quote "$2")" >>"$work/checks"
	say "  $1: $2"
}
has_flag() { case " $flags " in *" $1 "*) return 0 ;; esac; return 1; }

check_cpus()
{
	if [ "$allowed" -lt 2 ]; then
		doubt cpus "one CPU only: nothing between CPUs can be measured"
	elif [ "$allowed" -lt "$cpus" ]; then
		doubt cpus "this process may use $allowed of $cpus CPUs"
	else
		fine cpus "$cpus"
	fi
	quota=$(first "$sys/fs/cgroup/cpu.max")
	case ${quota:-max} in
	max*)	;;
	*)	doubt quota "this process may use its CPUs a part of the time only: cpu.max is $quota" ;;
	esac
	[ "$(first "$sys/devices/system/cpu/smt/active")" != 1 ] ||
		doubt threads "cores have several threads: up to half of the CPUs each core has one busy, beyond that two"
}

check_frequency()
{
	governors=$(each "$sys"/devices/system/cpu/cpu*/cpufreq/scaling_governor)
	case $governors in
	performance) fine frequency performance ;;
	'')	doubt frequency "no governor is to be seen: the frequency may change" ;;
	*)	doubt frequency "governor $governors, not performance: the frequency changes with the load" ;;
	esac
	turbo=$(first "$sys/devices/system/cpu/intel_pstate/no_turbo")
	boost=$(first "$sys/devices/system/cpu/cpufreq/boost")
	case $turbo/$boost in
	0/* | */1) doubt turbo "on: with more busy CPUs each is slower" ;;
	esac
}

check_idle()
{
	idle_driver=$(first "$sys/devices/system/cpu/cpuidle/current_driver")
	deep=''
	for state in "$sys"/devices/system/cpu/cpu0/cpuidle/state*; do
		[ "$(first "$state/disable")" != 0 ] || [ "$(first "$state/latency")" -le 10 ] ||
			deep="$deep $(first "$state/name")"
	done
	case ${idle_driver:-none}/$deep in
	*/?*)	doubt idle "idle states$deep are in use: a wakeup from them is slow" ;;
	none/)	doubt idle "idle states cannot be seen" ;;
	*)	fine idle "$idle_driver" ;;
	esac
}

check_virtual()
{
	hypervisor=''
	if has_flag hypervisor || [ -e "$sys/hypervisor/type" ] || [ -e "$proc/device-tree/hypervisor" ]; then
		hypervisor=yes
	fi
	case $(cat "$sys/class/dmi/id/sys_vendor" "$sys/class/dmi/id/product_name" 2>/dev/null) in
	*QEMU* | *KVM* | *VMware* | *VirtualBox* | *Xen* | *'Virtual Machine'* | *'Amazon EC2'* | *Google*)
		hypervisor=yes ;;
	esac
	if [ -n "$hypervisor" ]; then
		doubt virtual "a virtual machine: interrupts, and perhaps page tables, are the hypervisor's, and its CPUs may be shared"
	elif [ "$arch" = arm64 ]; then
		doubt virtual "arm64 does not say whether it is a virtual machine"
	else
		fine virtual no
	fi
}

check_memory()
{
	case $(first "$proc/sys/kernel/numa_balancing") in
	[1-9]*)	doubt numa_balancing "on: it changes entries while they are measured" ;;
	*)	fine numa_balancing off ;;
	esac
	case $(first "$sys/kernel/mm/ksm/run") in
	1)	doubt ksm "on: it merges pages" ;;
	*)	fine ksm off ;;
	esac
	thp=$(chosen "$sys/kernel/mm/transparent_hugepage/enabled")
	if [ -z "$thp" ]; then
		doubt thp "this kernel makes no transparent huge pages: nothing is measured of large folios"
	elif ! ls "$sys"/kernel/mm/transparent_hugepage/hugepages-64kB >/dev/null 2>&1; then
		doubt thp "folios of 64K cannot be asked for"
	else
		fine thp "$thp"
	fi
	free=$(awk '/^MemAvailable/ { print int($2 / 1024) }' "$proc/meminfo")
	[ "${free:-0}" -ge 256 ] || doubt memory "$free MB are free, and some topics want 256"
}

check_invlpgb()
{
	if has_flag invlpgb; then
		doubt invlpgb "this CPU has it: a kernel that uses it sends no interrupts for three CPUs or more"
	elif [ "$(info vendor_id)" = AuthenticAMD ] && [ "$(info 'cpu family')" -ge 25 ]; then
		doubt invlpgb "the kernel does not say whether this CPU has it: if so, and it is used, the counts of interrupts are 0"
	else
		fine invlpgb no
	fi
}

# In the second before it begins: busy CPU time, also what the hypervisor took.
check_load()
{
	jiffies() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8, $9 + 0, $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9; exit }' "$proc/stat"; }
	before=$(jiffies)
	sleep 1
	load=$(echo "$before $(jiffies)" | awk -v cpus="$cpus" '{
		d = ($6 - $3) / cpus; if (d <= 0) d = 1
		printf "%.2f %.2f", ($4 - $1) / d, ($5 - $2) / d }')
	stolen=${load#* } load=${load% *}
	if awk "BEGIN { exit !($load > 0.2) }"; then
		doubt load "$load CPUs were busy before it began"
	else
		fine load "$load"
	fi
	awk "BEGIN { exit !($stolen > 0.05) }" &&
		doubt stolen "the hypervisor took $stolen CPUs away in a second"
}

check_rest()
{
	if [ "$user" = 0 ]; then
		fine root yes
	else
		doubt root "not root: what verifies the size of folios, hints, hugetlb and counters of the kernel is left out"
	fi
	clock=$(first "$sys/devices/system/clocksource/clocksource0/current_clocksource")
	case $arch:$clock in
	x86_64:tsc | x86_64:kvm-clock | arm64:arch_sys_counter) fine clock "$clock" ;;
	*)	doubt clock "clock source ${clock:-unknown}: those of the CPUs may differ" ;;
	esac
	config=$( (zcat "$proc/config.gz" || cat "/boot/config-$(uname -r)") 2>/dev/null |
		grep -E '^CONFIG_(HZ|PREEMPT[A-Z_]*|DEBUG_VM|KASAN|PROVE_LOCKING|DEBUG_TLBFLUSH|PAGE_TABLE_CHECK|PT_RECLAIM|NUMA_BALANCING|MITIGATION_PAGE_TABLE_ISOLATION)=' |
		tr '\n' ' ')
	case $config in
	*DEBUG_VM=y* | *KASAN=y* | *PROVE_LOCKING=y*) doubt kernel "it has debugging options, which cost more than what is measured" ;;
	'')	doubt kernel "its configuration is not to be seen: it may have debugging options" ;;
	*)	fine kernel "no debugging options" ;;
	esac
}

look()
{
	say "What could not be excluded on this machine:"
	flags=$(info '\(flags\|Features\)')
	cpus=$(grep -c '^processor' "$proc/cpuinfo")
	allowed=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "$proc/self/status" | tr , '\n' |
		awk -F- '{ n += (NF > 1 ? $2 - $1 : 0) + 1 } END { print n + 0 }')
	user=$(id -u)
	check_cpus
	check_frequency
	check_idle
	check_virtual
	[ "$arch" != x86_64 ] || check_invlpgb
	check_memory
	check_rest
	check_load
	grep -q '"fine":false' "$work/checks" || say "  nothing that it looked for"
}

# No names, no serial numbers.
machine()
{
	field arch "$arch"
	field model "$(info 'model name')"
	for key in vendor_id 'cpu family' model stepping microcode 'CPU implementer' 'CPU part' 'CPU revision'; do
		case $key in
		model)	field model_number "$(info model)" ;;
		*)	field "$(echo "$key" | tr 'A-Z ' 'a-z_')" "$(info "$key")" ;;
		esac
	done
	field cpus "$cpus"
	field cpus_allowed "$allowed"
	field cores "$(each "$sys"/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list | wc -w | tr -d ' ')"
	field sockets "$(each "$sys"/devices/system/cpu/cpu[0-9]*/topology/physical_package_id | wc -w | tr -d ' ')"
	field nodes "$(find "$sys/devices/system/node/" -maxdepth 1 -name 'node[0-9]*' 2>/dev/null | wc -l | tr -d ' ')"
	field memory_mb "$(awk '/^MemTotal/ { print int($2 / 1024) }' "$proc/meminfo")"
	field page_size "$(getconf PAGESIZE 2>/dev/null)"
	field virtual "${hypervisor:-no}"
	field governor "$governors"
	field idle_driver "$idle_driver"
	field clock "$clock"
	field flags "$(for flag in pcid invpcid invlpgb la57 smep smap pti nonstop_tsc hypervisor; do
		! has_flag $flag || printf '%s ' $flag; done)"
	field meltdown "$(first "$sys/devices/system/cpu/vulnerabilities/meltdown")"
	field thp "$thp"
	printf '"root":%s' "$([ "$user" = 0 ] && echo true || echo false)"
}

kernel()
{
	field release "$(uname -r)"
	field version "$(uname -v)"
	field options "$config"
	field command_line "$(tr ' ' '\n' <"$proc/cmdline" 2>/dev/null | grep -E '^(mitigations|idle|nohz_full|isolcpus|nopti|pti|nopcid|noinvpcid|processor\.max_cstate|intel_idle\.max_cstate|transparent_hugepage)' | tr '\n' ' ')"
	printf '"name":"%s"' "$(uname -s)"
}

# list FILE: its lines, each an object, as a list
list() { awk 'NR > 1 { print prev "," } { prev = $0 } END { if (NR) print prev }' "$1"; }

# result STATE: all that is known so far
result()
{
	printf '{"format":%s,"measured_with":"%s","label":"%s","state":"%s",\n' "$FORMAT" \
		"$(first "$here/version")" "$(quote "$label")" "$1"
	printf '"date":"%s","set":"%s","limit":%s,"seconds":%s,"runs":%s,\n' "$date" "$set" \
		"$limit" $(($(date +%s) - start)) "$done_runs"
	printf '"machine":{%s},\n"kernel":{%s},\n"checks":[\n' "$(cat "$work/machine")" "$(cat "$work/kernel")"
	list "$work/checks"
	printf '],\n"results":[\n'
	list "$work/lines"
	printf ']}\n'
}

# save STATE: $out is the old result or the new one, never half of one
full=no
save()
{
	result "$1" >"$work/result.json"
	if cp "$work/result.json" "$out.new" 2>/dev/null && mv "$out.new" "$out" 2>/dev/null; then
		full=no
		return 0
	fi
	rm -f "$out.new"
	[ $full = yes ] || case $1.$(wc -l <"$work/lines") in
	unfinished.0) say "error: $out cannot be written: name another file with -o" ;;
	*)	say "error: $out cannot be written, is the disk full? It goes on; the results so far are in $work/result.json" ;;
	esac
	full=yes
}

# Settings that the bench changes and cannot change back when it is killed.
keep_settings()
{
	for file in "$sys"/kernel/mm/transparent_hugepage/enabled "$sys"/kernel/mm/transparent_hugepage/shmem_enabled \
		    "$sys"/kernel/mm/transparent_hugepage/hugepages-*/enabled \
		    "$sys"/kernel/mm/transparent_hugepage/hugepages-*/shmem_enabled; do
		[ ! -w "$file" ] || echo "$(chosen "$file") $file" >>"$work/settings"
	done
	for file in kernel/numa_balancing vm/nr_hugepages; do
		[ ! -w "$proc/sys/$file" ] || echo "$(first "$proc/sys/$file") $proc/sys/$file" >>"$work/settings"
	done
}
restore_settings()
{
	while read -r value file; do
		case $(cat "$file" 2>/dev/null) in
		"$value" | *"[$value]"*) ;;
		*)	echo "$value" >"$file" ;;
		esac 2>/dev/null
	done <"$work/settings"
}

pid=''
finish()
{
	trap '' INT TERM HUP
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
	[ ! -s "$work/topic" ] || keep_lines
	restore_settings
	save "$1"
	if [ $full = yes ]; then
		say "error: $out could not be written; the result is $work/result.json: copy it before this machine is switched off"
		exit 1
	fi
	rm -rf "$work"
	say "result: $out"
}
interrupted()
{
	say "interrupted: what was measured until now is kept"
	finish interrupted
	exit 130
}

# limited SECONDS COMMAND...: in the background, so that a signal is heard at once
limited()
{
	seconds=$1
	shift
	if command -v timeout >/dev/null; then
		set -- timeout -k 5 "$seconds" "$@"
	fi
	"$@" >"$work/topic" 2>"$work/errors" </dev/null &
	pid=$!
	wait "$pid"
	rc=$?
	pid=''
	return $rc
}

# Lines of the topic that are whole; in order of arrival, with the number of the run.
keep_lines()
{
	grep '^{.*}$' "$work/topic" | sed "s/^{/{\"run\":$run,/" >>"$work/lines"
	: >"$work/topic"
}

skip() { printf '{"run":%s,"topic":"%s","case":"all","skip":"%s"}\n' "$run" "$1" "$(quote "$2")" >>"$work/lines"; }
left() { echo $((limit - ($(date +%s) - start))); }

# topic NAME SECONDS: false if there is no time for it
topic()
{
	needs=$(sed -n "s/^$1 //p" "$work/took" | tail -n 1)
	[ "$(left)" -gt "${needs:-0}" ] || return 1
	seconds=$2
	[ "$seconds" -le "$(left)" ] || seconds=$(left)
	began=$(date +%s)
	say "[$((began - start)) of $limit s] run $run: $name"
	limited "$seconds" "$bench" --topic "$1" --time --json
	rc=$?
	keep_lines
	case $rc in
	0)	echo "$1 $(($(date +%s) - began + 1))" >>"$work/took" ;;
	4)	say "  $1: nothing of it can be measured here" ;;
	124 | 137) skip "$1" "it was not done in $seconds seconds" ;;
	*)	skip "$1" "it failed: $(tail -n 1 "$work/errors")"
		say "  $1: failed: $(tail -n 1 "$work/errors")" ;;
	esac
	restore_settings
	save unfinished
}

# Counters of the CPU, where perf has them, of cases that do the same on each kernel.
perf_events()
{
	for event in cycles instructions cycles:k instructions:k dTLB-load-misses dTLB-store-misses \
		     iTLB-load-misses dtlb_load_misses.walk_active dtlb_store_misses.walk_active; do
		perf stat -x, -e "$event" true 2>&1 | grep -q '^[0-9]' && printf '%s,' "$event"
	done
}
perf_topics()
{
	command -v perf >/dev/null || return 0
	events=$(perf_events)
	[ -n "$events" ] || { say "  perf has no counters of this CPU"; return 0; }
	while read -r word name cases <&4; do
		case $word in perf) ;; *) continue ;; esac
		[ "$(left)" -gt 5 ] || return 0
		limited 30 perf stat -x, -e "${events%,}" -o "$work/perf" "$bench" --topic "$name" --time --json --only "$cases"
		: >"$work/topic"
		awk -F, -v topic="$name" -v cases="$cases" '$1 ~ /^[0-9.]+$/ {
			printf "{\"run\":1,\"topic\":\"perf\",\"case\":\"%s %s\",\"metric\":\"%s\",\"unit\":\"events\",\"value\":%s,\"n\":1,\"good\":\"less\",\"exact\":false}\n",
				topic, cases, $3, $1 }' "$work/perf" >>"$work/lines"
	done 4<"$here/topics"
}

run=1 done_runs=0 start=$(date +%s) date=$(date -u +%Y-%m-%dT%H:%M:%SZ)
: >"$work/took"
trap 'rm -rf "$work"; exit 130' INT TERM HUP
look
if [ "$check" = only ]; then
	rm -rf "$work"
	exit 0
fi
machine >"$work/machine"
kernel >"$work/kernel"
keep_settings
wanted=$(awk -v set="$set" -v only="$only" '/^#/ || $1 == "perf" { next }
	only != "" ? index("," only ",", "," $1 ",") : set == "full" || $2 == set { print $1, $3 }' "$here/topics")
[ -n "$wanted" ] || { rm -rf "$work"; die "--topics $only: there are $(awk '!/^#/ && $1 != "perf" { printf "%s ", $1 }' "$here/topics")"; }
trap interrupted INT TERM HUP
save unfinished
[ $full = no ] || { rm -rf "$work"; exit 1; }
while [ "$run" -le "$runs" ]; do
	echo "$wanted" >"$work/wanted"
	none=yes
	while read -r name seconds <&3; do
		if topic "$name" "$seconds"; then
			none=no
		elif [ "$run" = 1 ]; then
			skip "$name" "no time was left for it"
			say "  $name: no time was left for it"
		fi
	done 3<"$work/wanted"
	[ $none = no ] || break
	done_runs=$run
	run=$((run + 1))
done
[ -n "$only" ] || perf_topics
finish finished
