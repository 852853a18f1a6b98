# SPDX-License-Identifier: GPL-2.0
# For scripts/coverage: reads vm/coverage (its name is in reasons), what gcov has counted
# (files named "lines"), and the lines that the series adds. Prints the table.

FILENAME == reasons {
	if (/^(#|$)/)
		next
	# path | function | text | reason; the text may have " | " in it.
	n = split($0, field, / +\| +/)
	text = field[3]
	for (i = 4; i < n; i++)
		text = text " | " field[i]
	if (n < 4 || field[n] == "") {
		printf "vm/coverage line %d has not path | function | text | reason\n", FNR
		failed = 1
		exit 1
	}
	reason[field[1], field[2], text] = FNR
	next
}

FILENAME ~ /lines$/ {
	count[$1, $2] += $3
	next
}

($1, $2) in count {
	lines[$1]++
	if (count[$1, $2]) {
		reached[$1]++
		next
	}
	if (($1, $3, $4) in reason)
		used[reason[$1, $3, $4]] = ++justified[$1]
	else if (($1, $3, "*") in reason)
		used[reason[$1, $3, "*"]] = ++justified[$1]
	else
		open[++nr_open] = sprintf("%s:%d: %s(): %s", $1, $2, $3, $4)
}

function row(path, all, hit, right, missed)
{
	return sprintf("%-42s %6s %8s %10s %10s", path, all, hit, right, missed)
}

END {
	if (failed)
		exit 1
	print row("file", "lines", "reached", "justified", "unreached")
	fflush()
	for (path in lines) {
		hit = reached[path] + 0
		right = justified[path] + 0
		print row(path, lines[path], hit, right, lines[path] - hit - right) | "sort"
		all += lines[path]
		all_hit += hit
		all_right += right
	}
	close("sort")
	print row("all", all + 0, all_hit + 0, all_right + 0, nr_open + 0)
	for (i = 1; i <= nr_open; i++)
		print open[i]
	for (key in reason)
		if (!(reason[key] in used))
			print "note: what vm/coverage line " reason[key] " is about was reached, or is gone" | "sort"
	close("sort")
	if (!all)
		print "gcov knows none of the lines: was anything built with it?"
	else if (nr_open)
		print nr_open " lines are reached by no test: write one, or say in vm/coverage why none can"
	else
		print "every line is reached by a test, or vm/coverage says why not"
	exit nr_open > 0 || !all
}
