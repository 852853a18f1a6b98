# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
# What scripts/bench and scripts/cost share: two kernels, built alike, and what
# write_upgrade_bench measures on them. Source it after arch.sh. Who sources it sets
# $results, a directory, and $failures, a file there.

# topics GUEST: those to run in that guest, joined by commas.
topics()
{
	awk -v guest="$1" -v only="${TOPIC:-}" '
		/^#/ || index("," $2 ",", "," guest ",") == 0 { next }
		only != "" && index("," only ",", "," $1 ",") == 0 { next }
		{ printf "%s%s", sep, $1; sep = "," }' "$TOP/vm/guest/bench"
}

# compose: sets the patched $commit; that of the base is in the same repository.
compose()
{
	commit=$("$TOP/scripts/compose")
	[ -z "${TREE:-}" ] || commit=$("$TOP/scripts/snapshot" "$TREE")
}

# kernels WHICH...: build these, of base and patched; sets $base_kernel and
# $patched_kernel. The benchmarks are the series' own on both kernels, so that is
# built in any case; $programs are those of scripts/realprograms.
kernels()
{
	local which=$* kernel

	patched_kernel=$(PROGRAMS="write_upgrade_bench uffd_snapshot" "$TOP/scripts/build" "$commit")
	case $which in
	*base*)	if [ "$BASE" = "$(series_base)" ]; then
			base_kernel=$(VARIANT=base PROGRAMS='' "$TOP/scripts/build" \
				"$(git --git-dir="$BUILD/compose.git" rev-parse base)")
		else
			base_kernel=$(VARIANT=base PROGRAMS='' SOURCE=$BASE "$TOP/scripts/build")
		fi
		cp "$patched_kernel"/selftests/* "$base_kernel/selftests/" ;;
	esac
	for which in $which; do
		kernel=${which}_kernel
		"$TOP/scripts/guest" "${!kernel}" "${programs:-}" >/dev/null
		cp "${!kernel}/config" "$results/config-$which"
	done
}

# run WHICH KERNEL GUEST TOPICS N: one boot; what it measured is "measured".
run()
{
	local dir=$results/$3-$1-$5

	say "  $1, guest $3, run $5: $4"
	rm -rf "$dir"
	GUEST=$3 QUIET=yes PLUGIN=${plugin:+$plugin,out=$dir/tlbi} "$TOP/scripts/qemu" \
		"$2" "$dir" guest.mode=bench "guest.topics=$4" "${plugin:+guest.pairs=yes}" ||
		die "the $1 guest was $(cat "$dir/end"); its console is $dir/console"
	grep -q '^done ' "$dir/verdict" ||
		die "the $1 guest ended early; its console is $dir/console: $(tail -n 1 "$dir/console")"
	tr -d '\r' <"$dir/verdict" | grep '^{' >"$dir/lines"
	tr -d '\r' <"$dir/verdict" | awk -v where="$1, guest $3, run $5" -v file="${dir#"$TOP"/}/verdict" '
		$1 == "end" && $3 != 0 && $3 != 4 {
			print "failed    " $2 " (" where "), status " $3 ": see " file }' |
		tee -a "$failures" >&2
	[ -z "${plugin:-}" ] || tlbis "$dir" "$4" >>"$dir/lines"
	jq -c --arg kernel "$1" --argjson run "$5" --arg guest "$3" --argjson tick "$TICK" \
		"$keep" "$dir/lines" >"$dir/measured"
}

# at_once GUEST TOPICS WHICH...: these kernels, base or patched, at the same time.
# Only for what is exact: it does not depend on what else the machine does.
at_once()
{
	local guest=$1 list=$2 which kernel pids=() pid rc=0

	shift 2
	set -m # process groups, so that all of each can be ended
	for which; do
		kernel=${which}_kernel
		run "$which" "${!kernel}" "$guest" "$list" 1 &
		pids+=($!)
	done
	set +m
	# shellcheck disable=SC2064 # expand now
	trap "kill -- ${pids[*]/#/-} 2>/dev/null; exit 130" INT TERM
	for pid in "${pids[@]}"; do
		wait "$pid" || rc=$?
	done
	trap - INT TERM
	return $rc
}

# columns LINES: what was measured as lines of topic, case, metric, unit, good,
# exact, kernel, value.
columns()
{
	jq -r 'select(has("value")) | [.topic, .case, .metric, .unit, .good, .exact, .kernel, .value] | @tsv' \
		"$1" | sort
}

# From the exact guest what repeats, its ticks as instructions; from the other
# the races, but no ticks: there they would be a time of the emulator. Cases of
# "1 CPU" repeat too, but another kernel is another schedule of their threads.
# shellcheck disable=SC2016 # for jq to expand
keep='($guest | startswith("exact")) as $exact
	| select(has("skip") or .exact == $exact or (.case | endswith("1 CPU")) or (.unit // "" | startswith("tlbi")))
	| select((.metric // "") | test("_first_pair$|_pair_step$") | not)
	| select($exact or ((.unit // "") | startswith("ticks") | not))
	| if ((.unit // "") | startswith("ticks"))
	  then .unit |= sub("ticks"; "instructions") | .value *= $tick else . end
	| . + {kernel: $kernel, run: $run, guest: $guest}'

# tlbis DIR TOPICS: what the plugin counted in a run, as lines of JSON.
tlbis()
{
	jq -r 'select(.metric // "" | test("pair")) | [.topic, .case, .metric, .value, .n] | @tsv' "$1/lines" |
		awk -v topics="$2" -f "$TOP/scripts/tlbi.awk" "$1/tlbi" - |
		jq -R -c 'split("\t") | {topic: .[0], case: .[1], metric: .[2], unit: "tlbi/op",
			value: (.[3] | tonumber), n: 1, good: "less", exact: true}'
}
