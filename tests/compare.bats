#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2154 # bats sets these
# What scripts/compare says of results that were made up.

setup()
{
	HERE=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export BUILD=$BATS_TEST_TMPDIR/build CACHE=$BATS_TEST_TMPDIR/cache
	cd "$BATS_TEST_TMPDIR" || return
}

# result NAME LABEL VALUE...: one run each of one case
result()
{
	local name=$1 label=$2 value run=0

	shift 2
	{
		printf '{"format":1,"measured_with":"0123 gcc","label":"%s","state":"finished",\n' "$label"
		printf '"machine":{"arch":"x86_64","model":"A CPU","cpus":16,"root":true},\n'
		printf '"kernel":{"release":"7.3.4","version":"#1"},"checks":[],"results":[\n'
		for value; do
			run=$((run + 1))
			[ $run = 1 ] || echo ,
			row shootdown one up_p50 "$value" $run
		done
		echo ']}'
	} >"$name.json"
}

row() { printf '{"run":%s,"topic":"%s","case":"%s","metric":"%s","unit":"ns/call","value":%s,"n":9,"good":"less","exact":false}' "$5" "$1" "$2" "$3" "$4"; }

# edit NAME FILTER: changes a result
edit() { jq -c "$2" "$1.json" >edited && mv edited "$1.json"; }

compare() { run "$HERE/scripts/compare" "$@"; }
lacks() { if grep -qE -- "$1" <<<"$output"; then echo "$output"; false; fi; }
shows() { grep -qE -- "$1" <<<"$output" || { echo "$output"; false; }; }

# refused SENTENCE FILE...
refused()
{
	local sentence=$1

	shift
	compare "$@"
	[ "$status" -eq 1 ]
	[ "$output" = "error: $sentence" ] || { echo "$output"; false; }
}

@test "less and more, with the interval of the difference" {
	result a base 100 101 102 103 104
	result b patched 50 51 52 53 54
	compare a.json b.json
	[ "$status" -eq 0 ]
	shows '^one +up_p50 +102 \(100 to 104\) +-49% \(-5[0-9] to -4[0-9]\) +\+ 52 \(50 to 54\) +ns/call$'
	compare b.json a.json
	shows ' \+96% .* ! 102 '
}

@test "a difference that chance makes is none" {
	result a base 100 120 80 110 90
	result b patched 101 119 82 108 92
	compare a.json b.json
	shows '^one +up_p50 +100 \(80 to 120\) +~ 101 \(82 to 119\)'
}

@test "of too few runs nothing is claimed" {
	result a base 100 101
	result b patched 50 51
	compare a.json b.json
	shows ' ~ 50\.5'
}

@test "what is equal, and what one kernel lacks" {
	result a base 100 100 100
	result b patched 100 100 100
	edit b ".results += [$(row stale two repairs 3 1)]"
	compare a.json b.json
	shows '^one .* = 100 '
	shows '^two .* - +\? 3 '
}

@test "several files of a kernel are its values, each by its median" {
	for i in 1 2 3; do
		result a$i base 100 101 9999
		result b$i patched 50 51 9999
	done
	compare a1.json b1.json a2.json b2.json a3.json b3.json
	shows '^one +up_p50 +101 +-50% \(-50 to -50\) +\+ 51 '
}

@test "one file is a table with --all" {
	result a base 100 101 102
	edit a ".results += [$(row shootdown one up_faults 0 1), $(row shootdown one up_max 9 1)]"
	compare --all a.json
	[ "$status" -eq 0 ]
	shows '^one +up_p50 +101 \(100 to 102\) +ns/call$'
	shows '^one +up_max +9 '
	shows '^= 0 in 1 more rows: up_faults$'
}

@test "one file is a summary: what a reader needs of each topic" {
	result a base 1
	edit a ".results = [
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=1' up_p50 1000 1),
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=1' up_p50 1200 2),
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=1' up_p99 7777 1),
		$(row shootdown 'mprotect anon 4k ro pages=32 cpus=4 readers' up_p50 4000 1),
		$(row shootdown 'mprotect anon 4k ro pages=32 cpus=4 readers' up_stolen_mean 2500 1),
		$(row stale 'store after upgrade pages=8' stores_p50 300 1),
		$(row stale 'store after upgrade pages=8' stores_faults 0 1),
		$(row mprot 'mprotect shared 4k ro pages=512' trip_p50 55 1),
		$(row mprot 'mprotect shared 4k ro pages=512' down_p50 66 1),
		$(row latency 'mprotect anon 4k ro pages=32 cpus=4 same' store_p99 44 1),
		$(row latency 'mprotect anon 4k ro pages=32 cpus=4 same' store_max 99 1),
		$(row updown 'mprotect anon pmd ro' up_ns_median 3 1),
		$(row pingpong other up_ipis 15 1)]"
	compare a.json
	[ "$status" -eq 0 ]
	shows '^pages +1 CPU +4 CPUs$'
	shows '^1 +1100 +-$'
	shows '^32 +- +4000$'
	shows '^32 +2500$'
	shows '^store after upgrade pages=8 +- +300 +0 +- +-$'
	shows '^mprotect shared 4k ro pages=512 +55$'
	shows '^mprotect anon 4k ro pages=32 cpus=4 same +- +44 +- +99$'
	shows '^mprotect anon pmd ro +- +3$'
	shows '^other +up_ipis +15 '
	lacks '7777|66'
	shows '^Medians\. With --all'
}

@test "the longest store of others is shown when kernels are compared" {
	result a base 1
	edit a ".results = [$(row latency same store_max 99 1), $(row mprot one trip_max 9 1)]"
	cp a.json b.json
	edit b '.label = "patched"'
	compare a.json b.json
	shows '^same +store_max +99 '
	lacks trip_max
}

@test "the intervals are the same each time" {
	result a base 100 101 112 103 104
	result b patched 90 91 99 93 104
	compare a.json b.json
	once=$output
	compare a.json b.json
	[ "$output" = "$once" ]
}

@test "what the formula consists of, and when a relaxed flush would lose" {
	result a base 1
	edit a ".results = [
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=1' up_p50 1000 1),
		$(row shootdown 'mprotect anon 4k ro pages=512 cpus=1' up_p50 11220 1),
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=2 readers' up_p50 3000 1),
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=4 readers' up_p50 4000 1),
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=4 readers' up_stolen_mean 2000 1),
		$(row shootdown 'mprotect anon 4k ro pages=8 cpus=1' up_p50 2000 1),
		$(row shootdown 'mprotect anon 4k ro pages=8 cpus=4 readers' up_p50 8000 1),
		$(row shootdown 'mprotect anon 4k ro pages=8 cpus=4 readers' up_stolen_mean 3000 1),
		$(row stale 'store after upgrade pages=512' stores_p50 10000 1),
		$(row stale 'store after upgrade pages=512' plain_stores_p50 2000 1),
		$(row stale 'store after write fault elsewhere' write_fault_p50 900 1),
		$(row stale 'store after write fault elsewhere' stale_store_p50 4600 1),
		$(row stale 'store after write fault elsewhere' fresh_store_p50 100 1),
		$(row stale 'store after write fault elsewhere' stale_store_faults 1 1)]"
	compare a.json
	[ "$status" -eq 0 ]
	shows '^S +1000 '
	shows '^c +20\.0 '
	shows '^A +2000 '
	shows '^B +500 '
	shows '^V +2000 '
	shows '^W +900 '
	shows '^F +4500 .* 1 faults$'
	shows '^R +8000 '
	shows '^ +4 +1 +3000 +6000 +2\.0 +- +2\.0$'
	shows '^ +4 +8 +6000 +9000 +never +1\.2 +0\.4$'
	edit a '(.results[] | select(.metric == "stale_store_p50")).value = 1100'
	compare a.json
	shows '^ +4 +1 +3000 +6000 +never +- +never$'
}

@test "what the formula consists of, with its range over the runs" {
	result a base 1
	edit a ".results = [
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=1' up_p50 1000 1),
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=1' up_p50 2000 2),
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=1' up_p50 1500 3),
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=2 readers' up_p50 3000 1),
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=2 readers' up_p50 4100 2),
		$(row shootdown 'mprotect anon 4k ro pages=1 cpus=2 readers' up_p50 4000 3),
		$(row stale 'store after write fault elsewhere' write_fault_p50 900 1)]"
	compare a.json
	shows '^S +1500 +1000 to 2000 '
	shows '^A +2500 +2000 to 2500 '
	shows '^W +900 +minor'
}

# BENCHMARK.md's part "Measured", as "name value": rows of the model; of the tables of
# the shootdown, in ns; of the break-even.
measured()
{
	sed -n '/^### Measured/,/^### One page/p' "$HERE/BENCHMARK.md" | awk -F' *[|] *' '
		$2 ~ /^[ScABVWFR]$/ {
			split($4, w, /[ ()]+/)
			ns = w[2] == "us" ? 1000 : 1
			model = model "model " $2 " " ns * w[1] " " ns * w[3] " " ns * w[5] "\n"
		}
		$2 == "Pages" { table++; first = table == 1 ? 1 : 2 }
		table && table < 3 && $2 ~ /^[0-9]+$/ {
			for (i = 3; i < NF; i++)
				print "shootdown", table, $2, first * 2 ^ (i - 3), 1000 * $i
		}
		$2 == "CPUs" { table = 3; printf "%s", model }
		table == 3 && $2 ~ /^[0-9]+$/ {
			print "even", $2, $3, 1000 * $4, 1000 * $5, $6, $7 == "" ? "-" : $7, $8
		}'
}

# The same from what compare prints, on stdin.
printed()
{
	awk '
		/^[ScABVWFR] +[0-9.]+ +[0-9.]+ to / { print "model " $1, $2, $3, $5 }
		/^shootdown: / { table++ }
		/^pages / { n = 0; for (i = 2; i < NF; i += 2) cpus[++n] = $i }
		/^stale/ { table = 9 }
		table < 3 && /^[0-9]/ {
			for (i = 2; i <= NF; i++)
				print "shootdown", table, $1, cpus[i - 1], $i
		}
		/^ +(2|16) +[0-9]+ +[0-9]+ / { print "even", $1, $2, $3, $4, $5, $6, $7 }'
}

@test "the figures of BENCHMARK.md are those of the runs they were made from" {
	result a base 1
	grep -v '^#' "$HERE/tests/benchmark-16cpu.tsv" | jq -Rn '[inputs | split("\t") |
		. as $row | range(3; length) | { run: (. - 2), topic: $row[0], case: $row[1],
		metric: $row[2], value: ($row[.] | tonumber), unit: "ns", n: 9, good: "less", exact: false }]' >rows.json
	jq --slurpfile rows rows.json '.results = $rows[0]' a.json >b.json
	compare b.json
	[ "$status" -eq 0 ]
	measured >ours
	printed <<<"$output" >theirs
	[ "$(wc -l <ours)" -eq $((8 + 20 + 16 + 8)) ]
	[ "$(wc -l <theirs)" -eq "$(wc -l <ours)" ]
	# Some have two digits only.
	paste ours theirs | awk '{
		for (i = 1; i <= NF / 2; i++) {
			a = $i; b = $(i + NF / 2); d = a - b
			if (a != b && (a !~ /^[0-9.]+$/ || d > .015 * b || -d > .015 * b)) { print; exit 1 }
		}
	}'
}

@test "results that cannot be compared are refused in one sentence" {
	result a base 1
	result b patched 2
	edit b '.machine.cpus = 8'
	refused "a.json and b.json are not of one machine: CPUs 16 and 8" a.json b.json
	result b patched 2
	edit b '.machine.governor = "powersave"'
	refused "a.json and b.json are not of one machine: governor unknown and powersave" a.json b.json
	result b patched 2
	edit b '.measured_with = "4567 gcc"'
	refused "a.json and b.json were measured with different benchmarks, 0123 gcc and 4567 gcc: measure both with one archive" a.json b.json
	result b patched 2
	edit b '.format = 2'
	refused "b.json has format 2, and this reads format 1" a.json b.json
	result b patched 2
	result c other 2
	refused 'these are three kernels, of which two can be compared: "base" "patched" "other" ' a.json b.json c.json
	result b patched
	refused "nothing was measured in b.json" a.json b.json
	head -c 100 a.json >b.json
	refused "b.json is no result of measure.sh, or not all of one" a.json b.json
	refused "none.json cannot be read" a.json none.json
	refused "compare wants results of measure.sh: scripts/compare FILE..."
}

@test "an interrupted result is compared, and said to be one" {
	result a base 1
	edit a '.state = "interrupted"'
	compare a.json
	[ "$status" -eq 0 ]
	shows 'a.json: the run did not end by itself, topics may be missing'
}
