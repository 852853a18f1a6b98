# SPDX-License-Identifier: GPL-2.0
# Judges of scripts/cost: awk -F'\t' -v arch=ARCH [-v all=1] [-v tap=1] -f cost.awk
# ALLOWANCES ROWS. ALLOWANCES is vm/cost, which says what it means; ROWS are lines
# of: topic, case, metric, unit, good, exact, kernel, value. all: each allowance must
# be of some row. Exit status 0: no row is over; 1: some are, or something is wrong.

function die(text) { wrong = 1; print "error: " text > "/dev/stderr"; exit 1 }
function trim(x) { gsub(/^[ \t]+|[ \t]+$/, "", x); return x }
function rows_of(n) { return n (n == 1 ? " row" : " rows") }
function number(x) { return x >= 1000 || x == int(x) ? sprintf("%.0f", x) : sprintf(x < 10 ? "%.3f" : "%.2f", x) }

# A pattern of vm/cost as a regular expression: * is any text, all else itself.
function pattern(glob)
{
	gsub(/[][\\.^$+?(){}|]/, "\\\\&", glob)
	gsub(/\*/, ".*", glob)
	return "^" glob "$"
}

function parse(line,   field, i)
{
	if (split(line, field, "|") != 6)
		die("vm/cost line " FNR " has not six fields: " line)
	for (i = 1; i <= 6; i++) {
		field[i] = trim(field[i])
		if (field[i] == "")
			die("vm/cost line " FNR " leaves its " what[i] " empty")
	}
	if (field[2] !~ /^(any|(<= )?[0-9]+(\.[0-9]+)?|[0-9]+(\.[0-9]+)?%)$/)
		die("vm/cost line " FNR " has no allowance like 1%, 84, <= 15 or any: " field[2])
	if (field[1] != arch)
		return
	n++
	amount[n] = field[2]; topic[n] = pattern(field[3]); name[n] = pattern(field[4])
	metric[n] = pattern(field[5]); line_of[n] = FNR; used[n] = 0
}

# The most that a row may be, from its allowance and its ceilings; "": anything.
function most(t, c, m, base,   i, limit, ceiling)
{
	limit = base; ceiling = ""
	for (i = 1; i <= n; i++) {
		if (t !~ topic[i] || c !~ name[i] || m !~ metric[i])
			continue
		used[i] = 1
		if (amount[i] ~ /^<= /) {
			if (ceiling == "" || substr(amount[i], 4) + 0 < ceiling)
				ceiling = substr(amount[i], 4) + 0
		} else if (amount[i] == "any") {
			limit = ""
		} else if (amount[i] ~ /%$/) {
			limit = base == "" ? "" : base * (1 + amount[i] / 100)
		} else {
			limit = base == "" ? "" : base + amount[i]
		}
	}
	if (ceiling != "" && (limit == "" || ceiling < limit))
		limit = ceiling
	return limit
}

function over(t, text)
{
	bad[t]++; total_bad++
	report[t] = report[t] (tap ? "# " : "") text "\n"
}

function judge(row,   part, base, patched, limit, where)
{
	split(row, part, FS)
	where = sprintf("%-10s %-38s %-12s", part[1], part[2], part[3])
	base = (row FS "base") in value ? value[row, "base"] : ""
	limit = most(part[1], part[2], part[3], base)
	if (!((row FS "patched") in value)) {
		if (limit == "")
			return
		rows[part[1]]++; total++
		over(part[1], where sprintf(" %10s %10s %10s %8s", number(base), number(limit), "missing", ""))
		return
	}
	if (base == "" && limit == "") {
		fresh++
		return
	}
	if (limit == "")
		return
	patched = value[row, "patched"]
	rows[part[1]]++; total++
	# Sums of doubles differ in their last bits.
	if (patched <= limit + 1e-9 * limit)
		return
	over(part[1], where sprintf(" %10s %10s %10s %8s", base == "" ? "-" : number(base), number(limit), number(patched),
		base == "" ? "" : base ? sprintf("%+.1f%%", 100 * (patched - base) / base) : "from 0"))
}

BEGIN {
	split("architecture allowance topic case metric reason", what, " ")
	SUBSEP = FS
}
FNR == NR {
	if ($0 !~ /^[ \t]*(#|$)/)
		parse($0)
	next
}
NF != 8 { die("a row has not eight fields: " $0) }
$6 == "true" {
	row = $1 FS $2 FS $3
	if (!(row in seen)) {
		seen[row]; order[++nr] = row
		if (!($1 in known)) { known[$1]; topics[++nt] = $1 }
	}
	value[row, $7] = $8 + 0
	lines[$7]++
}

END {
	if (wrong)
		exit 1
	if (!lines["base"] || !lines["patched"])
		die("no rows of the " (lines["base"] ? "series" : "base"))
	for (i = 1; i <= nr; i++)
		judge(order[i])
	for (i = 1; all && i <= n; i++)
		if (!used[i])
			die("vm/cost line " line_of[i] " is of no row of " arch)
	if (!tap && total_bad)
		printf "%-10s %-38s %-12s %10s %10s %10s %8s\n", "topic", "case", "metric", "base", "allowed", "series", "change"
	for (i = 1; i <= nt; i++) {
		t = topics[i]
		if (tap)
			printf "%s %d cost %s %s: %s, %d over their allowance\n", bad[t] ? "not ok" : "ok", i, arch, t, rows_of(rows[t]), bad[t]
		printf "%s", report[t]
	}
	if (!tap)
		printf "%s, %d over their allowance%s\n", rows_of(total), total_bad, fresh ? ", " fresh " of the series only" : ""
	exit total_bad > 0
}
